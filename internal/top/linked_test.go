package top

import (
	"os/exec"
	"strings"
	"testing"
)

// Only the command of operators links the terminal: no worker does.
func TestNotLinked(t *testing.T) {
	linked := func(pkg string) bool {
		t.Helper()
		out, err := exec.Command("go", "list", "-deps", pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(out), "charm.land/") || strings.Contains(string(out), "charmbracelet/")
	}
	const module = "github.com/dtaskhq/dtask/"
	for _, pkg := range []string{"runtime/worker", "runtime/sqlite", "runtime/rabbitmq", "runtime/operate", "internal/console"} {
		if linked(module + pkg) {
			t.Errorf("%s links a terminal", pkg)
		}
	}
	if !linked(module + "cmd/dtask") {
		t.Error("cmd/dtask links no terminal")
	}
}
