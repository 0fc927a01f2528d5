package doctest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

// promtool runs the tool of Prometheus in dir.
func promtool(t *testing.T, dir string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		skip.Test(t, "promtool is missing; on Debian it is of the package prometheus")
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestAlerts has each alert fire where it should, and not elsewhere.
func TestAlerts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, file := range map[string]string{
		"prometheus-rules.yaml": "docs/deploy/prometheus-rules.yaml",
		"rules_test.yaml":       "internal/doctest/testdata/prometheus/rules_test.yaml",
	} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	promtool(t, dir, "check", "rules", "prometheus-rules.yaml")
	promtool(t, dir, "test", "rules", "rules_test.yaml")
}

// TestBoard checks the board's queries, and that no panel lies on another.
func TestBoard(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs/deploy/grafana.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		UID, Title string
		Panels     []struct {
			ID                       int
			Type, Title, Description string
			GridPos                  struct{ X, Y, W, H int }
			Targets                  []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	var rules strings.Builder
	rules.WriteString("groups: [{name: board, rules: [")
	taken := make(map[[2]int]string)
	for _, p := range board.Panels {
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d lacks a title, a description or a query", p.ID)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
					t.Fatalf("panel %q lies on %q, or beyond the edge", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		for i, q := range p.Targets {
			expr := strings.NewReplacer("$__rate_interval", "5m", "$queue", ".*").Replace(q.Expr)
			quoted, err := json.Marshal(expr)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&rules, "{record: 'board:p%d_%d', expr: %s},", p.ID, i, quoted)
		}
	}
	rules.WriteString("]}]\n")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "board.yaml"), []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, dir, "check", "rules", "board.yaml")
}
