package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/dtaskhq/dtask/internal/scan"
)

// A summary says what a run found and did:
//
//	3 tasks in 2 packages; wrote mail/dtask_gen.go
type summary struct {
	Tasks    int      `json:"tasks"`
	Packages int      `json:"packages"` // that have tasks
	Wrote    []string `json:"wrote"`
	Removed  []string `json:"removed"`
}

// summarize returns the summary of a run that makes the files what they should
// be.
func (p *printer) summarize(pkgs []*scan.Package, files []*file) summary {
	s := summary{Wrote: []string{}, Removed: []string{}}
	for _, pkg := range pkgs {
		s.Tasks += len(pkg.Tasks)
		if len(pkg.Tasks) > 0 {
			s.Packages++
		}
	}
	for _, f := range files {
		name := filepath.ToSlash(p.relative(f.path))
		switch {
		case !f.changes():
		case f.new == nil:
			s.Removed = append(s.Removed, name)
		default:
			s.Wrote = append(s.Wrote, name)
		}
	}
	return s
}

// summary prints a summary.
func (p *printer) summary(s summary) {
	if p.json {
		p.object(s)
		return
	}
	fmt.Fprintln(p.out, s)
}

func (s summary) String() string {
	var did []string
	if len(s.Wrote) > 0 {
		did = append(did, "wrote "+shortList(s.Wrote))
	}
	if len(s.Removed) > 0 {
		did = append(did, "removed "+shortList(s.Removed))
	}
	if len(did) == 0 {
		did = append(did, "nothing to write")
	}
	found := fmt.Sprintf("%s in %s", count(s.Tasks, "task"), count(s.Packages, "package"))
	if s.Tasks == 0 {
		found = "no function is marked //dtask:task"
	}
	return found + "; " + strings.Join(did, "; ")
}

// maxNamed is how many files a summary names.
const maxNamed = 3

// shortList joins names, and counts those that are too many.
func shortList(names []string) string {
	if more := len(names) - maxNamed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), more)
	}
	return strings.Join(names, ", ")
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
