// Package generate_test proves the generator end to end: what dtaskgen makes
// of the modules in testdata, that it compiles against the runtime, and that it
// runs.
package generate_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pmezard/go-difflib/difflib"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite what the cases in testdata want")

// dtaskgen is the path of the generator, built for the tests.
var dtaskgen string

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "dtaskgen")
	if err == nil {
		dtaskgen = filepath.Join(dir, "dtaskgen.exe") // Windows wants the ending
		var out []byte
		if out, err = exec.Command("go", "build", "-o", dtaskgen, "./cmd/dtaskgen").CombinedOutput(); err != nil {
			err = fmt.Errorf("build dtaskgen: %w\n%s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
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
//	want/run     what "go run ./run" prints after it
//	want/PATH    a generated file
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
	workspace := t.TempDir()
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

// files returns the Go files of the module by their paths.
func (c *testCase) files(t *testing.T) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(c.dir, func(file string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") {
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

// generate runs dtaskgen as the case says and returns what there is to compare:
// the want/ files.
func (c *testCase) generate(t *testing.T) []txtar.File {
	args := []string{"./..."}
	if text, ok := c.get("args"); ok {
		args = strings.Fields(text)
	}
	// Cases are modules on their own: no workspace, and nothing from the net.
	env := []string{"GOWORK=off", "GOPROXY=off", "GOFLAGS=-mod=mod"}
	if text, ok := c.get("env"); ok {
		env = append(env, strings.Fields(text)...)
	}
	before := c.files(t)
	r := command(t, c.dir, env, dtaskgen, args...)
	after := c.files(t)

	var got []txtar.File
	add := func(name, text string) {
		if text != "" {
			got = append(got, txtar.File{Name: wantPrefix + name, Data: []byte(text)})
		}
	}
	if r.exit != 0 {
		add("exit", fmt.Sprintln(r.exit))
	}
	add("stdout", c.portable(r.stdout))
	add("stderr", c.portable(r.stderr))
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if before[name] != after[name] {
			add(name, after[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, ok := after[name]; !ok {
			add(name, "removed\n")
		}
	}
	if r.exit != 0 && len(got) > 0 {
		for _, f := range got {
			if strings.HasSuffix(f.Name, ".go") {
				t.Errorf("%s changed, though dtaskgen failed", f.Name)
			}
		}
	}
	return got
}

// portable replaces what differs from one machine to the next.
func (c *testCase) portable(s string) string {
	return filepath.ToSlash(strings.ReplaceAll(s, c.dir, "$DIR"))
}

// compare checks the want/ files of the case, or rewrites them.
func (c *testCase) compare(t *testing.T, got []txtar.File) {
	t.Helper()
	var inputs, want []txtar.File
	for _, f := range c.archive.Files {
		if strings.HasPrefix(f.Name, wantPrefix) {
			want = append(want, f)
		} else {
			inputs = append(inputs, f)
		}
	}
	if *update {
		c.archive.Files = append(inputs, got...)
		if err := os.WriteFile(c.file, txtar.Format(c.archive), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	text := func(files []txtar.File) string { return string(txtar.Format(&txtar.Archive{Files: files})) }
	if text(got) == text(want) {
		return
	}
	diff, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(text(want)), FromFile: c.file,
		B: difflib.SplitLines(text(got)), ToFile: "got",
		Context: 3,
	})
	t.Errorf("run the test with -update if this is right (%v):\n%s", err, diff)
}

// runnable reports whether a program of the case is to be run.
func (c *testCase) runnable() bool {
	return slices.ContainsFunc(c.archive.Files, func(f txtar.File) bool { return strings.HasPrefix(f.Name, "run/") })
}

// TestCases generates every case, then compiles and vets all that succeeded,
// and runs the programs among them.
func TestCases(t *testing.T) {
	cases := loadCases(t)
	results := make([][]txtar.File, len(cases))
	t.Run("generate", func(t *testing.T) {
		for i, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				results[i] = c.generate(t)
				if !c.runnable() {
					c.compare(t, results[i])
				}
			})
		}
	})
	var compiled []*testCase
	for i, c := range cases {
		if generated(results[i]) {
			compiled = append(compiled, c)
		}
	}
	t.Run("compile", func(t *testing.T) { compile(t, compiled) })
	t.Run("run", func(t *testing.T) {
		for i, c := range cases {
			if !c.runnable() {
				continue
			}
			t.Run(c.name, func(t *testing.T) {
				r := command(t, c.dir, workspaceEnv(c), "go", "run", "./run")
				if r.exit != 0 {
					t.Errorf("exit %d: %s", r.exit, r.stderr)
				}
				c.compare(t, append(results[i], txtar.File{Name: "want/run", Data: []byte(r.stdout)}))
			})
		}
	})
}

// generated reports whether dtaskgen wrote something.
func generated(files []txtar.File) bool {
	return slices.ContainsFunc(files, func(f txtar.File) bool { return path.Base(f.Name) == "dtask_gen.go" })
}

// compile vets the modules of all cases at once, in a workspace with dtask.
func compile(t *testing.T, cases []*testCase) {
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatal("no case was generated")
	}
	work := "go 1.26.0\n\nuse " + root + "\n"
	args := []string{"vet"}
	for _, c := range cases {
		work += "use ./" + c.name + "\n"
		args = append(args, "./"+c.name+"/...")
	}
	dir := filepath.Dir(cases[0].dir)
	if err := os.WriteFile(filepath.Join(dir, "go.work"), []byte(work), 0o666); err != nil {
		t.Fatal(err)
	}
	if r := command(t, dir, workspaceEnv(cases[0]), "go", args...); r.exit != 0 {
		t.Errorf("generated code does not compile:\n%s%s", r.stdout, r.stderr)
	}
}

func workspaceEnv(c *testCase) []string {
	return []string{"GOWORK=" + filepath.Join(filepath.Dir(c.dir), "go.work"), "GOFLAGS="}
}
