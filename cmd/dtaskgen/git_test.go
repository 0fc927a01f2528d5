package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

// repository makes a git repository of a module with a task, committed on main.
func repository(t *testing.T) (dir string, git func(args ...string) string) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		skip.Test(t, "git is not installed")
	}
	dir = module(t, map[string]string{"m.go": task})
	git = func(args ...string) string {
		t.Helper()
		out, err := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	git("init", "-q", "-b", "main")
	mustGenerate(t)
	git("add", ".")
	git("commit", "-q", "-m", "one")
	return dir, git
}

// On a branch, -check compares with the commit where it left the main one.
func TestCheckOnBranch(t *testing.T) {
	dir, git := repository(t)
	git("checkout", "-q", "-b", "feature")
	for _, params := range []string{"n bool", "n string"} { // the first is in no commit
		writeFile(t, filepath.Join(dir, "m.go"), strings.Replace(task, "n int", params, 1))
		if code, _, stderr := dtaskgen(t); code != 0 || !strings.Contains(stderr, "warning: FIELD_SHAPE Task: n: ") {
			t.Fatalf("exit %d\n%s", code, stderr)
		}
	}
	lock := readFile(t, filepath.Join(dir, "dtask.lock"))
	if strings.Contains(lock, "bool") || strings.Contains(lock, "args v3") || !strings.Contains(lock, " after "+strings.TrimSpace(git("rev-parse", "--short", "HEAD"))) {
		t.Errorf("the lock is\n%s", lock)
	}
	git("commit", "-q", "-a", "-m", "two")

	const finding = "m.go:4:6: FIELD_SHAPE Task: n: int became string\n"
	if code, stdout, stderr := dtaskgen(t, "-check"); code != 1 || stdout != "" || !strings.HasPrefix(stderr, finding) {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if code, _, stderr := dtaskgen(t, "-check", "-json"); code != 1 {
		t.Errorf("exit %d\n%s", code, stderr)
	} else {
		var d diagnosticJSON
		if err := json.Unmarshal([]byte(stderr), &d); err != nil || d.Code != "FIELD_SHAPE" || d.Class != "needs-upcaster" || d.Severity != "error" {
			t.Errorf("%v: %s", err, stderr)
		}
	}
	for _, same := range []string{"HEAD", "dtask.lock"} {
		if code, _, stderr := dtaskgen(t, "-check", "-against", same); code != 0 || stderr != "" {
			t.Errorf("against %s: exit %d\n%s", same, code, stderr)
		}
	}
	if code, _, stderr := dtaskgen(t, "-check", "-against", "main~0"); code != 1 || !strings.HasPrefix(stderr, finding) {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	for _, wrong := range []string{"nothing", "-x", "--output=x"} {
		if code, _, stderr := dtaskgen(t, "-check", "-against="+wrong); code != 2 || !strings.Contains(stderr, "cannot compare with "+wrong) {
			t.Errorf("against %s: exit %d\n%s", wrong, code, stderr)
		}
	}

	writeFile(t, filepath.Join(dir, "up.go"), "package m\n\n//dtask:upcast\nfunc up(old TaskArgsV1) (TaskArgs, error) { return TaskArgs{}, nil }\n")
	if code, _, stderr := dtaskgen(t); code != 0 || stderr != "" {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	if code, _, stderr := dtaskgen(t, "-check"); code != 0 || !strings.Contains(stderr, "warning: FIELD_SHAPE") || !strings.Contains(stderr, "up converts waiting messages") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

// Two people change one task, and git leaves marks in the lock. dtaskgen keeps what
// either of them knows.
func TestConflictInGit(t *testing.T) {
	dir, git := repository(t)
	change := func(branch, params string) {
		git("checkout", "-q", "-b", branch, "main")
		writeFile(t, filepath.Join(dir, "m.go"), strings.Replace(task, "n int", params, 1))
		dtaskgen(t)
		git("commit", "-q", "-a", "-m", branch)
	}
	change("a", "n string")
	change("b", "n bool")
	if out, err := exec.Command("git", "-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "merge", "a").CombinedOutput(); err == nil {
		t.Fatalf("no conflict: %s", out)
	}
	writeFile(t, filepath.Join(dir, "m.go"), strings.Replace(task, "n int", "n string", 1))
	if code, _, stderr := dtaskgen(t); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	lock := readFile(t, filepath.Join(dir, "dtask.lock"))
	for _, want := range []string{"\t\tn string\n", "\t\tn bool\n", "\t\tn int\n"} {
		if !strings.Contains(lock, want) {
			t.Errorf("no %q in\n%s", want, lock)
		}
	}
	if strings.Contains(lock, "<<<") {
		t.Errorf("marks are left in\n%s", lock)
	}
	if code, stdout, stderr := dtaskgen(t, "-check", "-against", "HEAD"); code != 1 || stdout != "" || !strings.Contains(stderr, "bool became string") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}
