// Package lock knows dtask.lock: what the messages of each task of a module look
// like, and looked like before. The file is written with the generated code, and
// committed, so that every build knows the messages of the builds before it.
//
//	dtask.lock 1
//	module github.com/acme/shop
//	opaque v1.6.0 github.com/google/uuid.UUID
//
//	task github.com/acme/shop/mail.SendWelcome
//		package ./mail
//		queue mail
//		args v2 2b7c6c0e5d3f4a11
//			to string
//			user User
//			User.name string
//		args v1 91ab33f07c2e88d4 left 2026-11-26 after 1a2b3c4
//			to string
//		result v1 0f3d5c7a99b1e6c2
//			result string
//
// A task is a block. It has its versions, newest first, with the lines of package
// schema. One version has no "left": it is the present one. So git can merge changes
// of two tasks, and a person can review them.
package lock

import (
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/internal/schema"
)

// File is the name of the file, in the root of a module.
const File = "dtask.lock"

// A Lock is the content of the file.
type Lock struct {
	Module string  // its path
	Was    string  // a path that it had before, if a person has said so
	Tasks  []*Task // sorted by name

	// Opaque has the version of the module of each type in present messages whose own
	// methods say what it is in JSON, by its name.
	Opaque map[string]string

	line int // of the module
}

// A Task is what is known of the messages of one task.
type Task struct {
	Name    string
	Package string   // its directory, from the root of the module: ./mail
	Was     []string // names that it had before, newest first
	Queue   string   // on which it is enqueued
	Gone    string   // the day on which it was not found any more, or empty
	Args    History
	Result  History // empty for a function without a result
	line    int
}

// A History is the versions of a schema, newest first.
type History []*Version

// A Version is a schema that messages may have.
type Version struct {
	N           int // from 1, in the order in which the versions came up
	Fingerprint string
	Left        string // the day on which it was left, or empty for the present one
	After       string // the commit that had it last, or empty
	Schema      *schema.Schema
	line        int
}

// Task returns the task of a name, or nil.
func (l *Lock) Task(name string) *Task {
	i := slices.IndexFunc(l.Tasks, func(t *Task) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return l.Tasks[i]
}

// sort puts everything into its order.
func (l *Lock) sort() {
	slices.SortFunc(l.Tasks, func(a, b *Task) int { return strings.Compare(a.Name, b.Name) })
	for _, t := range l.Tasks {
		t.Args.sort()
		t.Result.sort()
	}
}

func (h History) sort() { slices.SortFunc(h, func(a, b *Version) int { return b.N - a.N }) }

// Present returns the version that messages have now, or nil.
func (h History) Present() *Version {
	i := slices.IndexFunc(h, func(v *Version) bool { return v.Left == "" })
	if i < 0 {
		return nil
	}
	return h[i]
}

// With returns the version of a fingerprint, or nil.
func (h History) With(fingerprint string) *Version {
	i := slices.IndexFunc(h, func(v *Version) bool { return v.Fingerprint == fingerprint })
	if i < 0 {
		return nil
	}
	return h[i]
}

// Earlier returns the versions that were left, newest first.
func (h History) Earlier() []*Version {
	return slices.DeleteFunc(slices.Clone(h), func(v *Version) bool { return v.Left == "" })
}

// last returns the highest number of a version.
func (h History) last() int {
	last := 0
	for _, v := range h {
		last = max(last, v.N)
	}
	return last
}
