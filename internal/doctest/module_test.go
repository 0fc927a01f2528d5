package doctest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A module is a module of a user, which has dtask from this repository.
type module struct{ dir string }

// newModule returns a module that requires what dtask requires, so that nothing
// has to be fetched.
func newModule(t *testing.T, path string) module {
	t.Helper()
	m := module{t.TempDir()}
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	mod := fmt.Sprintf("module %s\n\ngo 1.26.0\n\nrequire github.com/dtaskhq/dtask v0.0.0\n\n"+
		"replace github.com/dtaskhq/dtask => %s\n\ntool github.com/dtaskhq/dtask/cmd/dtaskgen\n", path, filepath.ToSlash(abs))
	for block := range strings.SplitSeq(string(ours), "\n\n") {
		if strings.HasPrefix(block, "require (") {
			mod += "\n" + block + "\n"
		}
	}
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, m.dir, "go.mod", mod)
	write(t, m.dir, "go.sum", string(sum))
	return m
}

// run runs a command of a shell in the module, and returns all that it prints.
func (m module) run(t *testing.T, command string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off", "DTASK_URL=")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is run for a command that does not fail.
func (m module) must(t *testing.T, command string) string {
	t.Helper()
	out, err := m.run(t, command)
	if err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return out
}
