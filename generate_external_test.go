package generate_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

// TestExternalModule does what a user does: takes dtaskgen as a tool, runs go
// generate, builds, delays on a SQLite file and lets a worker process drain it.
func TestExternalModule(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		skip.Test(t, "builds a module with the worker and the SQLite broker")
	}
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	a, err := txtar.ParseFile("testdata/external/module.txtar")
	if err != nil {
		t.Fatal(err)
	}
	c := &testCase{archive: a, dir: t.TempDir()}
	c.extract(t)
	want, _ := c.get("want")

	// The module requires what dtask requires.
	ours, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	mod, _ := c.get("go.mod")
	mod = strings.ReplaceAll(mod, "$DTASK", filepath.ToSlash(root))
	for block := range strings.SplitSeq(string(ours), "\n\n") {
		if strings.HasPrefix(block, "require (") {
			mod += "\n" + block + "\n"
		}
	}
	c.write(t, "go.mod", mod)
	sum, err := os.ReadFile("go.sum")
	if err != nil {
		t.Fatal(err)
	}
	c.write(t, "go.sum", string(sum))

	env := []string{
		"GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off",
		"DTASK_URL=sqlite:" + filepath.Join(c.dir, "tasks.db"),
	}
	must := func(name string, args ...string) string {
		t.Helper()
		r := command(t, c.dir, env, name, args...)
		if r.exit != 0 {
			t.Fatalf("%s %v: exit %d\n%s%s", name, args, r.exit, r.stdout, r.stderr)
		}
		return r.stdout
	}
	must("go", "generate", "./...")
	bin := filepath.Join(c.dir, "bin") + string(filepath.Separator)
	must("go", "build", "-o", bin, "./cmd/delay", "./cmd/runner")
	must(bin + "delay")
	out := must(bin+"runner", "-drain", "-drain-retries", "-scheduler=off", "-log-level=error")

	var got []string
	for line := range strings.Lines(out) {
		if known := strings.Contains(want, line); known {
			got = append(got, line)
		}
	}
	slices.Sort(got)
	if text := strings.Join(got, ""); text != want {
		t.Errorf("the tasks printed\n%s\nthe worker printed\n%s", text, out)
	}
}
