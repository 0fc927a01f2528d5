// Package generate_test proves the generator end to end: what dtaskgen makes
// of the modules in testdata, that it compiles against the runtime, and that it
// runs.
package generate_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite what the cases in testdata want")

// dtaskgen is the path of the generator.
var dtaskgen string

// TestMain has the go command build the generator as a tool of the module, as
// that keeps it until it changes.
func TestMain(m *testing.M) {
	flag.Parse()
	var stderr strings.Builder
	cmd := exec.Command("go", "tool", "-n", "dtaskgen")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		fmt.Fprintf(os.Stderr, "build dtaskgen: %v\n%s", err, &stderr)
		os.Exit(1)
	}
	dtaskgen = strings.TrimSpace(string(out))
	os.Exit(m.Run())
}

// A testCase is an archive in testdata: a module, what dtaskgen is to make of
// it, and maybe what a program in it prints then.
//
// Files with these names are about the run; the others are the module:
//
//	args         arguments of dtaskgen, by default ./...
//	env          variables, a line each
//	want/exit    the exit code, if it is not 0
//	want/stdout  what it prints
//	want/stderr
//	want/run     what the function Main of package run prints after it
//	want/PATH    a generated file, and dtask.lock if the module has one
//
// If want/exit is 1 or more, no file may change.
type testCase struct {
	name    string
	file    string
	archive *txtar.Archive
	dir     string // of the module
}

const wantPrefix = "want/"

func loadCases(t *testing.T) []*testCase {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	workspace := steadyDir(t)
	var cases []*testCase
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		c := &testCase{name: name, file: file, archive: a, dir: filepath.Join(workspace, name)}
		c.extract(t)
		cases = append(cases, c)
	}
	return cases
}

// get returns a file of the archive.
func (c *testCase) get(name string) (string, bool) {
	for _, f := range c.archive.Files {
		if f.Name == name {
			return string(f.Data), true
		}
	}
	return "", false
}

// extract writes the module.
func (c *testCase) extract(t *testing.T) {
	if _, ok := c.get("go.mod"); !ok {
		c.write(t, "go.mod", "module example.com/"+c.name+"\n\ngo 1.26\n")
	}
	for _, f := range c.archive.Files {
		if f.Name == "go.mod" && len(f.Data) == 0 {
			continue // a case outside of modules
		}
		if f.Name != "args" && f.Name != "env" && !strings.HasPrefix(f.Name, wantPrefix) {
			c.write(t, f.Name, unescape(string(f.Data)))
		}
	}
}

// unescape gives files what an archive of text lines cannot hold.
func unescape(s string) string {
	return strings.NewReplacer("<CR>", "\r", "<BOM>", "\ufeff", "<BAD>", "\xff", "<NONL>\n", "").Replace(s)
}

func (c *testCase) write(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join(c.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// files returns the Go files of the module by their paths, and its dtask.lock if the
// case brings one.
func (c *testCase) files(t *testing.T) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(c.dir, func(file string, d os.DirEntry, err error) error {
		_, locked := c.get(d.Name())
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") && !(locked && d.Name() == "dtask.lock") {
			return err
		}
		data, err := os.ReadFile(file)
		rel, _ := filepath.Rel(c.dir, file)
		files[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A commandResult is what a command did.
type commandResult struct {
	stdout, stderr string
	exit           int
}

// command runs a command in a directory of the test.
func command(t *testing.T, dir string, env []string, name string, args ...string) commandResult {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatalf("%s: %v", name, err)
	}
	return commandResult{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}
