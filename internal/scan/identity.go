package scan

import (
	"strings"

	"golang.org/x/mod/module"

	"github.com/dtaskhq/dtask/internal/diagnostic"
	"github.com/dtaskhq/dtask/internal/limit"
)

// name gives a task the name that its messages carry: the one that its directive
// pins, or else its own in Go.
func (p *packageScan) name(t *Task) {
	t.Module = withoutMajor(p.candidate.Module)
	if pinned, ok := t.Options.Get("name").(string); ok {
		t.Name = pinned
		return
	}
	t.Name = qualifiedName(p.candidate.Path, p.candidate.Module, t.Function())
	if _, ok := limit.Task(t.Name); !ok {
		p.Report(t.Pos, diagnostic.Option, "pin a shorter one with //dtask:task name=NAME",
			"the name %s has %d bytes; a task can have at most %d", t.Name, len(t.Name), limit.MaxTaskName)
	}
}

// qualifiedName returns the name of a function with the import path of its
// package. The major version of the module is left out, also that of gopkg.in
// (foo.v2): a new version is the same service, and its workers run the messages
// that the old ones left.
func qualifiedName(pkg, mod, function string) string {
	return withoutMajor(mod) + strings.TrimPrefix(pkg, mod) + "." + function
}

func withoutMajor(mod string) string {
	if prefix, _, ok := module.SplitPathVersion(mod); ok {
		return prefix
	}
	return mod
}

// checkTaskNames reports names that two tasks of the run share: a worker could
// not tell their messages apart.
func (s *scanner) checkTaskNames(candidates []*candidate) {
	first := make(map[string]*Task)
	for _, c := range candidates {
		for _, t := range c.pkg.Tasks {
			other := first[t.Name]
			if other == nil {
				first[t.Name] = t
				continue
			}
			if diagnostic.ComparePos(t.Pos, other.Pos) < 0 {
				t, other = other, t
			}
			d := s.Report(t.Pos, diagnostic.DuplicateTask, "give one of the two another name with //dtask:task name=NAME",
				"two tasks are named %q", t.Name)
			d.Chain = []diagnostic.Step{{Pos: other.Pos, Text: "the other one is " + other.Function()}}
		}
	}
}
