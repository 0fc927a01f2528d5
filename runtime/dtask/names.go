package dtask

import (
	"fmt"
	"slices"
	"strings"
)

// ShortNames returns short names for the tasks of the table, by their full names:
// mail.Mailer.SendDigest for github.com/acme/shop/mail.Mailer.SendDigest. The short
// name is the shortest end of the full one, from a slash on, that no other task of
// the table has. People read and type it.
func (t Table) ShortNames() map[string]string {
	ends := make(map[string]int) // how many names have it
	for _, b := range t {
		for end := range nameEnds(b.Name) {
			ends[end]++
		}
	}
	short := make(map[string]string, len(t))
	for _, b := range t {
		short[b.Name] = b.Name
		for end := range nameEnds(b.Name) {
			if ends[end] == 1 {
				short[b.Name] = end
				break
			}
		}
	}
	return short
}

// shortNames returns the short names of the tasks of several tables, also by the
// names that the tasks had before.
func shortNames(tables []Table) map[string]string {
	all := slices.Concat(tables...)
	short := all.ShortNames()
	for _, b := range all {
		for _, was := range b.Spec.Was {
			short[was] = short[b.Name]
		}
	}
	return short
}

// nameEnds yields the ends of a name that begin after a slash, the shortest
// first, and the name itself.
func nameEnds(name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := len(name); i > 0; {
			i = strings.LastIndexByte(name[:i], '/')
			if !yield(name[i+1:]) {
				return
			}
		}
	}
}

// shortName returns the end of a name after its last slash: the short form
// where the table is not known.
func shortName(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// noTask returns the error for a task that this build does not have. The task is
// one of another build, or of another service, whose messages should not come
// here.
func (w *Worker) noTask(m *Message) error {
	if len(w.modules) == 0 || !hasPath(m.Task) || slices.ContainsFunc(w.modules, func(module string) bool { return inModule(m.Task, module) }) {
		return &foreignError{fmt.Errorf("this build has no task %s", m.Task)}
	}
	return &foreignError{fmt.Errorf("task %s is of another module than %s, and both use queue %q of this broker; give each service a namespace of its own: ?namespace= in its broker URL",
		m.Task, strings.Join(w.modules, ", "), m.Queue)}
}

// hasPath reports whether a name can be of a function with the import path of its
// package, as dtaskgen gives it. A name that is pinned says nothing of the module.
func hasPath(task string) bool {
	return strings.Contains(task, "/") && strings.Contains(shortName(task), ".")
}

// inModule reports whether a task is of a package of the module.
func inModule(task, module string) bool {
	rest, ok := strings.CutPrefix(task, module)
	return ok && (strings.HasPrefix(rest, "/") || strings.HasPrefix(rest, "."))
}

// modules returns the modules that define the tasks, sorted.
func (d dispatch) modules() []string {
	var modules []string
	for _, b := range d {
		if b.Spec.Module != "" {
			modules = append(modules, b.Spec.Module)
		}
	}
	slices.Sort(modules)
	return slices.Compact(modules)
}
