// Package generate_test proves the generator end to end: what dtaskgen makes
// of the modules in testdata, that it compiles against the runtime, and that it
// runs.
package generate_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pmezard/go-difflib/difflib"
	"golang.org/x/tools/txtar"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
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

// compile vets the modules of all cases at once.
func compile(t *testing.T, cases []*testCase) {
	if len(cases) == 0 {
		t.Fatal("no case was generated")
	}
	makeWorkspace(t, cases)
	args := []string{"vet"}
	for _, c := range cases {
		args = append(args, "./"+c.name+"/...")
	}
	if r := command(t, filepath.Dir(cases[0].dir), workspaceEnv(cases[0]), "go", args...); r.exit != 0 {
		t.Errorf("generated code does not compile:\n%s%s", r.stdout, r.stderr)
	}
}

// makeWorkspace makes the modules a workspace with dtask, which they need not
// require then.
func makeWorkspace(t *testing.T, cases []*testCase) {
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	work := "go 1.26.0\n\nuse " + filepath.ToSlash(root) + "\n"
	for _, c := range cases {
		work += "use ./" + c.name + "\n"
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(cases[0].dir), "go.work"), []byte(work), 0o666); err != nil {
		t.Fatal(err)
	}
}

func workspaceEnv(c *testCase) []string {
	return []string{"GOWORK=" + filepath.Join(filepath.Dir(c.dir), "go.work"), "GOFLAGS="}
}

// TestExternalModule does what a user does: takes dtaskgen as a tool, runs go
// generate, builds, delays on a SQLite file and lets a worker process drain it.
func TestExternalModule(t *testing.T) {
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

	// The module needs what dtask needs, in the same versions.
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

// TestDeterminism generates a module with many tasks again and again, from
// packages in another order, and after the functions have changed places.
func TestDeterminism(t *testing.T) {
	c := &testCase{archive: new(txtar.Archive), name: "many", dir: t.TempDir()}
	c.extract(t)
	var patterns []string
	source := func(pkg int, order []int) string {
		var b strings.Builder
		fmt.Fprintf(&b, "package p%d\n\nimport (\n\t\"time\"\n\tv1 \"example.com/many/x/v1\"\n\tv2 \"example.com/many/y/v1\"\n)\n\ntype T struct{}\n", pkg)
		for _, i := range order {
			fmt.Fprintf(&b, "\n//dtask:task queue=q%d\nfunc (t *T) Task%d(a v1.T, b map[string]v2.T, c time.Time) {}\n", i, i)
		}
		return b.String()
	}
	c.write(t, "x/v1/x.go", "package v1\n\ntype T struct{ N int }\n")
	c.write(t, "y/v1/y.go", "package v1\n\ntype T struct{ N int }\n")
	order := rand.Perm(20)
	for pkg := range 5 {
		patterns = append(patterns, fmt.Sprintf("./p%d", pkg))
		c.write(t, fmt.Sprintf("p%d/p.go", pkg), source(pkg, order))
	}
	generate := func() map[string]string {
		rand.Shuffle(len(patterns), func(i, j int) { patterns[i], patterns[j] = patterns[j], patterns[i] })
		r := command(t, c.dir, []string{"GOWORK=off", "GOFLAGS="}, dtaskgen, patterns...)
		if r.exit != 0 || r.stdout+r.stderr != "" {
			t.Fatalf("exit %d\n%s%s", r.exit, r.stdout, r.stderr)
		}
		generated := make(map[string]string)
		for name, text := range c.files(t) {
			if path.Base(name) == "dtask_gen.go" {
				generated[name] = text
			}
		}
		return generated
	}
	first := generate()
	if len(first) != 5 {
		t.Fatalf("%d files", len(first))
	}
	for round := range 5 {
		for name := range first {
			if err := os.Remove(filepath.Join(c.dir, filepath.FromSlash(name))); err != nil {
				t.Fatal(err)
			}
		}
		for pkg := range 5 {
			c.write(t, fmt.Sprintf("p%d/p.go", pkg), source(pkg, rand.Perm(20)))
		}
		if again := generate(); !maps.Equal(first, again) {
			t.Errorf("round %d: the files differ", round)
		}
	}
}
