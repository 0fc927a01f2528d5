package generate_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A workspace joins the modules of cases with dtask, which they need not require
// then.
type workspace struct{ dir string }

func newWorkspace(t *testing.T, cases []*testCase) *workspace {
	t.Helper()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	w := &workspace{filepath.Dir(cases[0].dir)}
	work := "go 1.26.0\n\nuse " + filepath.ToSlash(root) + "\nuse ./program\n"
	for _, c := range cases {
		work += "use ./" + c.name + "\n"
	}
	w.write(t, "go.work", work)
	w.write(t, "program/go.mod", "module example.com/program\n\ngo 1.26\n")
	return w
}

func (w *workspace) write(t *testing.T, name, text string) {
	t.Helper()
	(&testCase{dir: w.dir}).write(t, name, text)
}

// command runs the go command in the workspace.
func (w *workspace) command(t *testing.T, args ...string) commandResult {
	t.Helper()
	return command(t, w.dir, []string{"GOWORK=" + filepath.Join(w.dir, "go.work"), "GOFLAGS="}, "go", args...)
}

// vet compiles and vets the modules of cases at once.
func (w *workspace) vet(t *testing.T, cases []*testCase) {
	args := []string{"vet"}
	for _, c := range cases {
		args = append(args, "./"+c.name+"/...")
	}
	if r := w.command(t, args...); r.exit != 0 {
		t.Errorf("generated code does not compile:\n%s%s", r.stdout, r.stderr)
	}
}

// program builds one program for several cases, as to link one for each takes
// most of the time. Its argument is the name of the case to run.
func (w *workspace) program(t *testing.T, cases []*testCase) (path string) {
	t.Helper()
	var imports, entries strings.Builder
	for _, c := range cases {
		fmt.Fprintf(&imports, "\t%s \"example.com/%s/run\"\n", c.name, c.name)
		fmt.Fprintf(&entries, "\t%q: %s.Main,\n", c.name, c.name)
	}
	w.write(t, "program/main.go", "package main\n\nimport (\n\t\"os\"\n\n"+imports.String()+")\n\n"+
		"var entries = map[string]func(){\n"+entries.String()+"}\n\n"+
		"func main() { entries[os.Args[1]]() }\n")
	path = filepath.Join(w.dir, "program", "program.exe") // Windows wants the ending
	if r := w.command(t, "build", "-ldflags=-s -w", "-o", path, "./program"); r.exit != 0 {
		t.Fatalf("build the program: %s", r.stderr)
	}
	return path
}

// steadyDir makes a temporary directory whose name is the same in every run. The
// go command caches what it builds by the directory, so that it builds only what
// has changed since the last run. Runs at the same time get a directory each.
func steadyDir(t *testing.T) string {
	t.Helper()
	for i := 0; ; i++ {
		dir := filepath.Join(os.TempDir(), fmt.Sprintf("dtask-generate-test-%d", i))
		err := os.Mkdir(dir, 0o700)
		switch {
		case err == nil:
			t.Cleanup(func() { os.RemoveAll(dir) })
			return dir
		case !errors.Is(err, fs.ErrExist):
			t.Fatal(err)
		}
	}
}
