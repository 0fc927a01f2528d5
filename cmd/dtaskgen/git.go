package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/dtaskhq/dtask/internal/lock"
)

// git runs git in a directory, and returns what it prints.
func git(dir string, args ...string) ([]byte, error) {
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if errors.As(err, new(*exec.ExitError)) {
		line, _, _ := strings.Cut(stderr.String(), "\n")
		err = fmt.Errorf("git says: %s", line)
	}
	return out, err
}

// show returns the lock of a module in a revision. A revision without one has an
// empty lock.
func show(dir, revision string) ([]byte, error) {
	if _, err := git(dir, "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{commit}"); err != nil {
		return nil, errors.New("no revision that git knows")
	}
	if listed, err := git(dir, "ls-tree", "--name-only", revision, "--", lock.File); err != nil || len(listed) == 0 {
		return nil, err
	}
	return git(dir, "show", revision+":./"+lock.File)
}

// committed returns the lock of a module in a revision, and its abbreviated commit.
// Outside of version control, or if the lock cannot be read, both are empty.
func committed(dir, revision string) (*lock.Lock, string) {
	text, err := show(dir, revision)
	if err != nil {
		return nil, ""
	}
	l, err := lock.Read(text, today())
	if err != nil {
		return nil, ""
	}
	commit, err := git(dir, "rev-parse", "--short", revision)
	if err != nil {
		return nil, ""
	}
	return l, strings.TrimSpace(string(commit))
}

// forkPoint returns the commit where the present branch left the main one, or "" if
// there is no such branch.
func forkPoint(dir string) string {
	for _, main := range []string{"origin/HEAD", "origin/main", "origin/master", "main", "master"} {
		if commit, err := git(dir, "merge-base", "HEAD", main); err == nil {
			return strings.TrimSpace(string(commit))
		}
	}
	return ""
}
