package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/internal/lock"
)

// A pruning says what to forget of the past of tasks.
type pruning struct {
	before string // a day, or empty to forget nothing
	found  []kind // that preflight has found
}

// A kind is messages of a task with a fingerprint.
type kind struct{ Task, Schema string }

// newPruning reads the flags: a day, and maybe a file with what preflight -json has
// printed.
func newPruning(day, found string) (p pruning, err error) {
	if day == "" {
		return p, nil
	}
	if _, err := time.Parse(time.DateOnly, day); err != nil {
		return p, fmt.Errorf("-prune %s is no day; write it as 2006-01-02", day)
	}
	p.before = day
	if found == "" {
		return p, nil
	}
	file, err := os.Open(found)
	if err != nil {
		return p, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		var k kind
		if err := json.Unmarshal(lines.Bytes(), &k); err != nil || k.Task == "" {
			return p, fmt.Errorf("%s:%d: that is no line of preflight -json", found, n)
		}
		p.found = append(p.found, k)
	}
	return p, lines.Err()
}

// apply forgets what the lock of a module knows of old versions.
func (p pruning) apply(m *lockedModule) {
	if p.before == "" {
		return
	}
	m.next.Prune(p.before, func(task string) bool {
		for _, pkg := range m.pkgs {
			for _, t := range pkg.Tasks {
				if t.Name == task {
					return true
				}
			}
		}
		return false
	}, func(t *lock.Task, fingerprint string) bool {
		return slices.ContainsFunc(p.found, func(k kind) bool {
			return k.Schema == fingerprint && (k.Task == t.Name || slices.Contains(t.Was, k.Task))
		})
	})
}
