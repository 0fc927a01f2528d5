package lock

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/internal/schema"
)

// A Source is a task as the source has it.
type Source struct {
	Name    string
	Package string
	Queue   string
	Was     string // the name that it had, if its directive says so
	Args    *schema.Schema
	Result  *schema.Schema // nil if there is none
}

// A Run is what a run of dtaskgen knows of a module.
type Run struct {
	Module string
	Tasks  []Source

	// Opaque has the versions of types, by their names; see [Lock].
	Opaque map[string]string

	// Gone reports whether a package has no tasks but those of Tasks.
	Gone func(pkg string) bool

	// Excluded reports whether a task is in a file that this run's build leaves out.
	Excluded func(name string) bool

	// Retired reports whether a person has said that a task is no more.
	Retired func(name string) bool

	Today string // as 2006-01-02

	// Committed returns the lock as the newest commit has it, and the commit. Both
	// are empty if there is none. It is called only if something changes.
	Committed func() (*Lock, string)
}

// Update returns the lock as it is after a run. What the run did not look at stays
// as it is.
//
// A version that was in no commit is replaced and not kept: nobody but the person
// who writes it has run it.
func (l *Lock) Update(run Run) (*Lock, error) {
	next, err := l.renamed(run.Module)
	if err != nil {
		return nil, err
	}
	sources := make(map[string]bool)
	for _, s := range run.Tasks {
		sources[s.Name] = true
	}
	for _, s := range run.Tasks {
		t := next.Task(s.Name)
		if t == nil {
			t = &Task{Name: s.Name}
			next.Tasks = append(next.Tasks, t)
		}
		t.Package, t.Queue, t.Gone = s.Package, s.Queue, ""
		if s.Was != "" {
			next.inherit(t, s.Was, run.Today, sources[s.Was])
		}
		run.update(t, &t.Args, argsOf, s.Args)
		run.update(t, &t.Result, resultOf, s.Result)
	}
	next.Tasks = slices.DeleteFunc(next.Tasks, func(t *Task) bool {
		if sources[t.Name] || t.Gone == "" && (!run.Gone(t.Package) || run.Excluded(t.Name)) {
			return false
		}
		if t.Gone == "" {
			t.Gone = run.Today
		}
		return run.Retired(t.Name)
	})
	next.Opaque = next.opaque(l.Opaque, run.Opaque)
	next.sort()
	return next, nil
}

// opaque returns the versions of the types that present messages have: as a run has
// found them, or else as they were known.
func (l *Lock) opaque(known, found map[string]string) map[string]string {
	versions := make(map[string]string)
	for _, t := range l.Tasks {
		for _, v := range []*Version{t.Args.Present(), t.Result.Present()} {
			if v == nil {
				continue
			}
			for _, name := range v.Schema.Opaque() {
				if version := cmp.Or(found[name], known[name]); version != "" {
					versions[name] = version
				}
			}
		}
	}
	return versions
}

// renamed returns a copy of the lock for a module, whose path may be another than
// before if a person has said so.
func (l *Lock) renamed(module string) (*Lock, error) {
	next := &Lock{Module: module}
	for _, t := range l.Tasks {
		c := *t
		c.Args, c.Result, c.Was = t.Args.clone(), t.Result.clone(), slices.Clone(t.Was)
		next.Tasks = append(next.Tasks, &c)
	}
	switch {
	case l.Was != "" && l.Module == module:
		for _, t := range next.Tasks {
			if name, ok := moved(t.Name, l.Was, module); ok {
				t.Was = append([]string{t.Name}, t.Was...)
				t.Name = name
			}
		}
	case l.Module != "" && l.Module != module:
		return nil, &Error{
			l.line, fmt.Sprintf("it is of module %s, and this module is %s", l.Module, module),
			fmt.Sprintf("if the module was renamed, write here: module %s was %s; if the file was copied, delete it", module, l.Module),
		}
	}
	return next, nil
}

// moved returns a name below one path as it is below another.
func moved(name, from, to string) (string, bool) {
	rest, ok := strings.CutPrefix(name, from)
	if !ok || rest != "" && rest[0] != '/' && rest[0] != '.' {
		return name, false
	}
	return to + rest, true
}

func (h History) clone() History {
	var copies History
	for _, v := range h {
		c := *v
		copies = append(copies, &c)
	}
	return copies
}

// inherit gives a task the history of the name that it had, unless that is in use.
func (l *Lock) inherit(t *Task, was, today string, used bool) {
	if slices.Contains(t.Was, was) {
		return
	}
	t.Was = append([]string{was}, t.Was...)
	old := l.Task(was)
	if old == nil || used {
		return
	}
	for _, name := range old.Was {
		if !slices.Contains(t.Was, name) {
			t.Was = append(t.Was, name)
		}
	}
	if len(t.Args) == 0 { // a task that is new in the file
		t.Args, t.Result = old.Args, old.Result
	} else {
		t.Args.join(old.Args, today)
		t.Result.join(old.Result, today)
	}
	l.Tasks = slices.DeleteFunc(l.Tasks, func(t *Task) bool { return t == old })
}

func argsOf(t *Task) History   { return t.Args }
func resultOf(t *Task) History { return t.Result }

// update makes a schema the present version of a history of t. In another lock, the
// function of finds the same history of a task.
func (run Run) update(t *Task, h *History, of func(*Task) History, s *schema.Schema) {
	present := h.Present()
	fingerprint := ""
	if s != nil {
		fingerprint = s.Fingerprint()
	}
	switch {
	case present != nil && present.Fingerprint == fingerprint:
		present.Schema = s // a struct may have another name
		return
	case present == nil && s == nil:
		return
	case present != nil:
		run.leave(t, h, of, present)
	}
	if s == nil {
		return
	}
	if v := h.With(fingerprint); v != nil { // the change was taken back
		v.Left, v.After, v.Schema = "", "", s
		return
	}
	*h = append(*h, &Version{N: h.last() + 1, Fingerprint: fingerprint, Schema: s})
}

// leave marks a version as left, or removes it if no commit has it.
func (run Run) leave(t *Task, h *History, of func(*Task) History, present *Version) {
	committed, commit := run.Committed()
	if committed != nil {
		known := slices.ContainsFunc(append([]string{t.Name}, t.Was...), func(name string) bool {
			old := committed.Task(name)
			return old != nil && of(old).With(present.Fingerprint) != nil
		})
		if !known {
			*h = slices.DeleteFunc(*h, func(v *Version) bool { return v == present })
			return
		}
	}
	present.Left, present.After = run.Today, commit
}
