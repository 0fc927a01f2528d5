package evolution

import (
	"fmt"
	"go/token"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/internal/diagnostic"
	"github.com/dtaskhq/dtask/internal/lock"
	"github.com/dtaskhq/dtask/internal/scan"
	"github.com/dtaskhq/dtask/internal/schema"
)

// The classes of changes: what one needs.
const (
	NeedsUpcaster = "needs-upcaster" // or else waiting messages are not run
	NeedsConsent  = "needs-consent"  // a task is gone: was= or retired
	ByValue       = "by-value"       // waiting messages run if their values fit
	WorkersFirst  = "workers-first"  // old workers hand back what new producers send
	AnyOrder      = "any-order"      // nothing
)

// Report says what a deploy means that goes from one lock to the next. What loses
// messages, unless somebody does something, is an error, and all else a warning.
// position gives the place of a task that is not in the source.
func Report(base, next *lock.Lock, pkgs []*scan.Package, position func(name string) token.Position) []*diagnostic.Diagnostic {
	r := &report{List: new(diagnostic.List)}
	sources := make(map[string]*scan.Task)
	for _, p := range pkgs {
		for _, t := range p.Tasks {
			sources[t.Name] = t
		}
	}
	for _, old := range base.Tasks {
		now := next.Task(old.Name)
		if now == nil {
			now = renamed(next, old.Name)
		}
		switch {
		case now == nil: // retired
			if old.Gone == "" {
				r.change(position(old.Name), diagnostic.TaskRemoved, AnyOrder, true,
					"its waiting messages are handed back, then moved to the dead letters", "task %s is retired", old.Name)
			}
		case now.Gone != "":
			if old.Gone == "" {
				r.gone(next, now, sources, position(now.Name))
			}
		case sources[now.Name] != nil:
			r.task(old, now, sources[now.Name])
		}
	}
	r.opaque(base, next, position(""))
	return r.Sorted()
}

// opaque reports the types whose own methods say what they are in JSON, and whose
// modules have another version than before.
func (r *report) opaque(base, next *lock.Lock, pos token.Position) {
	for name, now := range next.Opaque {
		if was := base.Opaque[name]; was != "" && was != now {
			r.change(pos, diagnostic.Code(schema.FieldOpaque), ByValue, true,
				"read what has changed of it, or try a message of before in a test",
				"%s is of %s, and was of %s: nobody but its own methods knows whether it reads what it wrote", name, now, was)
		}
	}
}

// renamed returns the task that once had a name, or nil.
func renamed(l *lock.Lock, name string) *lock.Task {
	i := slices.IndexFunc(l.Tasks, func(t *lock.Task) bool { return slices.Contains(t.Was, name) })
	if i < 0 {
		return nil
	}
	return l.Tasks[i]
}

type report struct{ *diagnostic.List }

func (r *report) change(pos token.Position, code diagnostic.Code, class string, harmless bool, hint, format string, args ...any) {
	d := r.Report(pos, code, hint, format, args...)
	d.Class, d.Warning = class, harmless
}

// gone reports a task that vanished. If a new one has the same arguments, it may be
// the same task under another name.
func (r *report) gone(next *lock.Lock, old *lock.Task, sources map[string]*scan.Task, pos token.Position) {
	hint := fmt.Sprintf("if it was renamed, write was=%s in the directive of the new one; if it is no more, write //dtask:retired %s above a package clause", old.Name, old.Name)
	for _, t := range next.Tasks {
		if s := sources[t.Name]; s != nil && len(t.Args) == 1 && t.Args[0].Fingerprint == old.Args.Present().Fingerprint && len(t.Was) == 0 && t.Package == old.Package {
			hint = fmt.Sprintf("if %s is its new name, write was=%s in its directive; if it is no more, write //dtask:retired %s above a package clause", s.Function(), old.Name, old.Name)
			break
		}
	}
	r.change(pos, diagnostic.TaskRemoved, NeedsConsent, false, hint,
		"task %s is gone: its waiting messages are handed back, then moved to the dead letters", old.Name)
}

// task reports what changed of a task.
func (r *report) task(old, now *lock.Task, t *scan.Task) {
	if old.Name != now.Name {
		r.change(t.Pos, diagnostic.TaskRenamed, WorkersFirst, true, hintOf[WorkersFirst], "task %s was %s: it runs what waits under that name", now.Name, old.Name)
	}
	if old.Queue != now.Queue {
		r.change(t.Pos, diagnostic.TaskMoved, WorkersFirst, true, fmt.Sprintf("keep a worker on queue %s until that is empty", old.Queue),
			"task %s moved from queue %s to %s: what waits there stays there", now.Name, old.Queue, now.Queue)
	}
	r.history(t, old.Args, now.Args, "")
	r.history(t, old.Result, now.Result, "RESULT")
}

var hintOf = map[string]string{
	WorkersFirst: "deploy workers first: old ones hand back what new producers send",
	ByValue:      "messages whose values do not fit are handed back, then moved to the dead letters; deploy workers first",
	AnyOrder:     "deploy in any order",
}

// history reports the changes from the present version of a history to that of
// another.
func (r *report) history(t *scan.Task, old, now lock.History, result string) {
	o, n := old.Present(), now.Present()
	if o == nil || n == nil || o.Fingerprint == n.Fingerprint {
		return
	}
	var upcast []*scan.Upcaster
	if i := slices.IndexFunc(t.Earlier, func(e scan.Earlier) bool { return e.Schema == o.Fingerprint }); i >= 0 && result == "" {
		upcast = t.Earlier[i].Upcast
	}
	changes := schema.Compare(o.Schema, n.Schema)
	if len(changes) == 0 {
		r.change(t.Pos, diagnostic.Code(reordered(result)), WorkersFirst, true, hintOf[WorkersFirst],
			"%s: its fields have another order", t.Function())
	}
	for _, c := range changes {
		code, text := diagnostic.Code(c.Rule), c.Text
		if result != "" {
			code = diagnostic.Code(strings.Replace(string(c.Rule), "FIELD", result, 1))
		}
		class := classOf(c.Rule, len(upcast) > 0)
		hint := hintOf[class]
		switch {
		case class == NeedsUpcaster:
			hint = remedy(t, o, result)
			if was := formerName(c, changes); was != "" {
				hint = consent(t, c, was) + "; else " + hint
			}
		case len(upcast) > 0:
			hint = fmt.Sprintf("%s converts waiting messages; %s", upcast[0].Func, hint)
		}
		r.change(t.Pos, code, class, class != NeedsUpcaster, hint, "%s: %s", t.Function(), text)
	}
}

func reordered(result string) string {
	if result != "" {
		return result + "_REORDERED"
	}
	return "FIELD_REORDERED"
}

func classOf(rule schema.Rule, upcast bool) string {
	switch verdict := rule.Verdict(); {
	case upcast, verdict == schema.Reads:
		return WorkersFirst
	case verdict == schema.ByValue:
		return ByValue
	}
	return NeedsUpcaster
}

// formerName returns the name of the one field of the same struct and type that is gone,
// if a field is new: it may be the same under another name.
func formerName(c schema.Change, all []schema.Change) string {
	if c.Rule != schema.FieldAdded {
		return ""
	}
	name := ""
	for _, o := range all {
		if o.Rule == schema.FieldRemoved && o.In == c.In && o.Type == c.Type {
			if name != "" {
				return ""
			}
			name = o.Name
		}
	}
	return name
}

// consent says how to say that a field had another name.
func consent(t *scan.Task, c schema.Change, was string) string {
	if c.In == "" && !t.OwnArgs {
		return fmt.Sprintf("if it was %s, write //dtask:param %s was=%s below //dtask:task", was, c.Name, was)
	}
	return fmt.Sprintf("if it was %s, tag it dtask:\"was=%s\"", was, was)
}

// remedy returns what to do about a version that is not run any more.
func remedy(t *scan.Task, v *lock.Version, result string) string {
	if result != "" {
		return "results that are kept cannot be read any more; give the new result to a new task, and keep this one meanwhile"
	}
	return fmt.Sprintf("convert it: //dtask:upcast above func upcast%sV%d(old %s) (%s, error)",
		scan.Capitalize(strings.TrimSuffix(t.Names.Args, "Args")), v.N, oldType(t, v.N), t.Names.Args)
}
