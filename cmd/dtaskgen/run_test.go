package main

import (
	"bytes"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

// module writes a module with one package and makes it the current directory.
func module(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if files["go.mod"] == "" {
		files["go.mod"] = "module example.com/m\n\ngo 1.26\n"
	}
	for name, text := range files {
		writeFile(t, filepath.Join(dir, name), text)
	}
	t.Chdir(dir)
	t.Setenv("GOWORK", "off")
	t.Setenv("GOFLAGS", "-mod=mod")
	return dir
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// dtaskgen runs the command in the current directory.
func dtaskgen(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	code = run(t.Context(), args, &out, &err)
	return code, out.String(), err.String()
}

// mustGenerate runs the command, which has to succeed and print nothing.
func mustGenerate(t *testing.T, args ...string) {
	t.Helper()
	if code, stdout, stderr := dtaskgen(t, append([]string{"-q"}, args...)...); code != 0 || stdout != "" || stderr != "" {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
}

const task = `package m

//dtask:task
func Task(n int) {}
`

func TestUnchangedFileIsNotWritten(t *testing.T) {
	dir := module(t, map[string]string{"m.go": task})
	mustGenerate(t)
	generated := filepath.Join(dir, "dtask_gen.go")
	long := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(generated, long, long); err != nil {
		t.Fatal(err)
	}
	mustGenerate(t)
	info, err := os.Stat(generated)
	if err != nil {
		t.Fatal(err)
	}
	if !info.ModTime().Equal(long) {
		t.Errorf("written at %v, though nothing changed", info.ModTime())
	}
	if code, stdout, _ := dtaskgen(t, "-check"); code != 0 || stdout != "1 task in 1 package; nothing to write\n" {
		t.Errorf("-check: exit %d\n%s", code, stdout)
	}
}

// What dtaskgen did is one line, also for programs.
func TestSummary(t *testing.T) {
	module(t, map[string]string{
		"a/a.go": "package a\n\n//dtask:task\nfunc A() {}\n\n//dtask:task\nfunc B() {}\n",
		"b/b.go": "package b\n\n//dtask:task\nfunc C() {}\n",
		"c/c.go": "package c\n",
	})
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"./c"}, "no function is marked //dtask:task; nothing to write\n"},
		{[]string{"./..."}, "3 tasks in 2 packages; wrote a/dtask_gen.go, b/dtask_gen.go, dtask.lock\n"},
		{[]string{"./..."}, "3 tasks in 2 packages; nothing to write\n"},
		{[]string{"-check", "./..."}, "3 tasks in 2 packages; nothing to write\n"},
		{[]string{"-json", "./b"}, `{"tasks":1,"packages":1,"wrote":[],"removed":[]}` + "\n"},
		{[]string{"-q", "./..."}, ""},
	} {
		if code, stdout, stderr := dtaskgen(t, step.args...); code != 0 || stdout != step.want || stderr != "" {
			t.Errorf("%v: exit %d\n%s%s", step.args, code, stdout, stderr)
		}
	}
	writeFile(t, "a/a.go", "package a\n")
	writeFile(t, "b/b.go", "package b\n\n//dtask:task\nfunc C(n int) {}\n")
	want := "1 task in 1 package; wrote b/dtask_gen.go, dtask.lock; removed a/dtask_gen.go\n"
	if code, stdout, stderr := dtaskgen(t, "./..."); code != 0 || stdout != want {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

// What keeps dtaskgen from its work is data with -json, too.
func TestTroubleAsJSON(t *testing.T) {
	dir := module(t, map[string]string{"m.go": task})
	writeFile(t, filepath.Join(dir, "go.mod"), "module example.com/m\n\ngo 1.26\n\nrequire example.com/n one\nnonsense\n")
	code, stdout, stderr := dtaskgen(t, "-json")
	var trouble struct{ Severity, Code, Message string }
	if err := json.Unmarshal([]byte(stderr), &trouble); err != nil || code != 2 || stdout != "" {
		t.Fatalf("exit %d, %v\n%s%s", code, err, stdout, stderr)
	}
	for _, want := range []string{"go.mod:5:", "go.mod:6:"} { // both
		if trouble.Severity != "error" || trouble.Code != "trouble" || !strings.Contains(trouble.Message, want) {
			t.Errorf("no %q in %+v", want, trouble)
		}
	}
	if code, _, stderr := dtaskgen(t, "-json", "-nonsense"); code != 2 || !json.Valid([]byte(stderr)) {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

func TestCheckSeesChange(t *testing.T) {
	dir := module(t, map[string]string{"m.go": task})
	mustGenerate(t)
	before := readFile(t, filepath.Join(dir, "dtask_gen.go"))
	writeFile(t, filepath.Join(dir, "m.go"), strings.Replace(task, "n int", "count int", 1))
	code, stdout, stderr := dtaskgen(t, "-check")
	if code != 1 || !strings.HasPrefix(stderr, "m.go:4:6: FIELD_ADDED Task: count is new\n") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	for _, want := range []string{"--- dtask_gen.go\n", "-\tN int `json:\"n\"`\n", "+\tCount int `json:\"count\"`\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in the diff:\n%s", want, stdout)
		}
	}
	if after := readFile(t, filepath.Join(dir, "dtask_gen.go")); after != before {
		t.Error("-check changed the file")
	}
}

func TestFileIsRemovedWithTheLastTask(t *testing.T) {
	dir := module(t, map[string]string{"m.go": task, "other/o.go": "package other\n"})
	mustGenerate(t, "./...")
	writeFile(t, filepath.Join(dir, "m.go"), "package m\n")
	if code, _, stderr := dtaskgen(t, "./..."); code != 0 || !strings.Contains(stderr, "warning: TASK_REMOVED task example.com/m.Task is gone") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "dtask_gen.go")); !os.IsNotExist(err) {
		t.Errorf("the generated file is still there: %v", err)
	}
}

// Several runs at the same time make the same file.
func TestConcurrentRuns(t *testing.T) {
	dir := module(t, map[string]string{"m.go": task})
	mustGenerate(t)
	want := readFile(t, filepath.Join(dir, "dtask_gen.go"))
	if err := os.Remove(filepath.Join(dir, "dtask_gen.go")); err != nil {
		t.Fatal(err)
	}
	var runs sync.WaitGroup
	for range 4 {
		runs.Go(func() {
			var stderr bytes.Buffer
			if code := run(t.Context(), nil, io.Discard, &stderr); code != 0 {
				t.Errorf("exit %d\n%s", code, &stderr)
			}
		})
	}
	runs.Wait()
	if got := readFile(t, filepath.Join(dir, "dtask_gen.go")); got != want {
		t.Errorf("generated:\n%s", got)
	}
}

func TestModeOfTheFile(t *testing.T) {
	if runtime.GOOS == "windows" {
		skip.Test(t, "Windows has no such modes")
	}
	dir := module(t, map[string]string{"m.go": task})
	generated := filepath.Join(dir, "dtask_gen.go")
	mode := func() fs.FileMode {
		info, err := os.Stat(generated)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	mustGenerate(t)
	if mode() != 0o644 {
		t.Errorf("mode %v of a new file", mode())
	}
	if err := os.Chmod(generated, 0o600); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "m.go"), strings.Replace(task, "dtask:task", "dtask:task retries=2", 1))
	mustGenerate(t)
	if mode() != 0o600 {
		t.Errorf("mode %v of a file that had 0600", mode())
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	dir := module(t, map[string]string{"m.go": task})
	mustGenerate(t)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "dtask.lock dtask_gen.go go.mod m.go" {
		t.Errorf("the directory holds %s", got)
	}
}

// A directory in the place of the file cannot be read or replaced. That holds for
// root too, and tests may run as root.
func TestFileCannotBeWritten(t *testing.T) {
	dir := module(t, map[string]string{"m.go": task, "dtask_gen.go/keep": ""})
	code, _, stderr := dtaskgen(t)
	if code != 2 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, filepath.Join(dir, "dtask_gen.go")) {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

func TestSymlinks(t *testing.T) {
	elsewhere := t.TempDir()
	writeFile(t, filepath.Join(elsewhere, "linked.go"), "package m\n\n//dtask:task\nfunc Linked() {}\n")
	dir := module(t, map[string]string{"real/m.go": task})
	if err := os.Symlink(filepath.Join(dir, "real"), filepath.Join(dir, "link")); err != nil {
		skip.Test(t, "no symbolic links: ", err)
	}
	if err := os.Symlink(filepath.Join(elsewhere, "linked.go"), filepath.Join(dir, "real", "linked.go")); err != nil {
		t.Fatal(err)
	}
	// Emacs marks a file that it has open by a link to nowhere.
	if err := os.Symlink("nobody@host.1234", filepath.Join(dir, "real", ".#m.go")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(dir, "real", "directory.go")); err != nil {
		t.Fatal(err)
	}
	// The go command does not follow links to directories, but does to files.
	code, stdout, stderr := dtaskgen(t, "-list", "./...")
	if code != 0 || strings.Count(stdout, "\n") != 3 || !strings.Contains(stdout, "example.com/m/real.Linked") || !strings.Contains(stdout, "example.com/m/real.Task") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

func TestNoGoCommand(t *testing.T) {
	module(t, map[string]string{"m.go": task})
	t.Setenv("PATH", "")
	code, _, stderr := dtaskgen(t)
	if code != 2 || strings.Count(stderr, "\n") != 1 {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// Files with import "C" are read as they are: positions and names are those of
// the source, and no C compiler is needed.
func TestCgo(t *testing.T) {
	dir := module(t, map[string]string{"m.go": `package m

// static int twice(int n) { return 2 * n; }
import "C"

//dtask:task
func Twice(n int) { C.twice(C.int(n)) }
`})
	t.Setenv("CGO_ENABLED", "1")
	t.Setenv("CC", "no-c-compiler")
	code, stdout, stderr := dtaskgen(t, "-list")
	if code != 0 || !strings.Contains(stdout, "m.go:7:6") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	mustGenerate(t)
	if text := readFile(t, filepath.Join(dir, "dtask_gen.go")); !strings.Contains(text, "func DelayTwice(") {
		t.Errorf("generated:\n%s", text)
	}

	writeFile(t, filepath.Join(dir, "m.go"), `package m

// #include <stdint.h>
import "C"

//dtask:task
func Twice(n C.int) {}

type Point C.struct_point

//dtask:task
func Draw(p Point) {}

type Level C.int

func (l Level) MarshalText() ([]byte, error) { return nil, nil }

func (l *Level) UnmarshalText([]byte) error { return nil }

//dtask:task
func Rise(l Level) {}
`)
	want := `m.go:7:14: Twice: n: a type of C cannot be sent
	hint: pass a type of Go
m.go:12:13: Draw: p: a type of C cannot be sent
	hint: pass a type of Go
`
	if code, _, stderr := dtaskgen(t); code != 1 || stderr != want {
		t.Errorf("exit %d\n%s", code, stderr)
	}

	t.Setenv("CGO_ENABLED", "0")
	writeFile(t, filepath.Join(dir, "other.go"), "package m\n")
	if code, _, stderr := dtaskgen(t); code != 0 || !strings.Contains(stderr, "m.go:6:1: warning: dtask:task is ignored") {
		t.Errorf("without cgo: exit %d\n%s", code, stderr)
	}
}
