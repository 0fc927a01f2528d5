// Package evolution joins what the source says of tasks with what dtask.lock knows
// of their past: what becomes of messages of earlier versions, which functions
// convert them, and what a person should know before a deploy.
package evolution

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dtaskhq/dtask/internal/diagnostic"
	"github.com/dtaskhq/dtask/internal/lock"
	"github.com/dtaskhq/dtask/internal/scan"
	"github.com/dtaskhq/dtask/internal/schema"
)

// Apply tells the tasks of packages of one module what the lock knows of their
// past, and reports the upcasters that do not fit.
func Apply(pkgs []*scan.Package, l *lock.Lock) []*diagnostic.Diagnostic {
	list := new(diagnostic.List)
	for _, p := range pkgs {
		a := &application{List: list, pkg: p, used: make(map[*scan.Upcaster]bool)}
		for _, t := range p.Tasks {
			if known := l.Task(t.Name); known != nil {
				a.task(t, known)
			}
		}
		a.unused()
	}
	return list.Sorted()
}

// An application is Apply for one package.
type application struct {
	*diagnostic.List
	pkg  *scan.Package
	used map[*scan.Upcaster]bool
}

// task tells a task its past.
func (a *application) task(t *scan.Task, known *lock.Task) {
	t.Was = known.Was
	present := known.Args.Present()
	for _, v := range known.Args.Earlier() {
		e := scan.Earlier{N: v.N, Schema: v.Fingerprint}
		if e.Upcast = a.chain(t, known, v); len(e.Upcast) == 0 {
			e.Refused = refusal(v, schema.Compare(v.Schema, present.Schema))
		}
		t.Earlier = append(t.Earlier, e)
	}
	if result := known.Result.Present(); result != nil {
		for _, v := range known.Result.Earlier() {
			t.EarlierResults = append(t.EarlierResults, scan.Earlier{
				N: v.N, Schema: v.Fingerprint, Refused: refusal(v, schema.Compare(v.Schema, result.Schema)),
			})
		}
	}
	slices.SortFunc(a.pkg.OldArgs, func(x, y scan.OldArgs) int { return strings.Compare(x.Name, y.Name) })
}

// refusal returns why messages of a version are not run, or "" if they are.
func refusal(v *lock.Version, changes []schema.Change) string {
	var reasons []string
	for _, c := range changes {
		if c.Rule.Verdict() == schema.Refuses {
			reasons = append(reasons, c.Text)
		}
	}
	if len(reasons) == 0 {
		return ""
	}
	const most = 5
	if more := len(reasons) - most; more > 0 {
		reasons = append(reasons[:most], fmt.Sprintf("%d more changes", more))
	}
	return fmt.Sprintf("it is of v%d, and since then: %s", v.N, strings.Join(reasons, "; "))
}

// chain returns the upcasters that lead from a version to the present one, and has
// the types that they mention generated. What is wrong with one is reported.
func (a *application) chain(t *scan.Task, known *lock.Task, from *lock.Version) []*scan.Upcaster {
	first := a.upcasterOf(t, from.N)
	if first == nil {
		return nil
	}
	var chain []*scan.Upcaster
	present := known.Args.Present()
	for u, v := first, from; ; {
		a.used[u] = true
		a.need(t, v)
		chain = append(chain, u)
		if u.To == t.Names.Args {
			return chain
		}
		n, ok := strings.CutPrefix(u.To, t.Names.Args+"V")
		to, err := strconv.Atoi(n)
		i := slices.IndexFunc(known.Args, func(k *lock.Version) bool { return k.N == to })
		switch {
		case !ok || err != nil:
			a.Report(u.Pos, diagnostic.Upcast, fmt.Sprintf("return %s", t.Names.Args), "%s returns %s, which are no arguments of %s", u.Func, u.To, t.Function())
			return nil
		case to == present.N:
			a.Report(u.Pos, diagnostic.Upcast, fmt.Sprintf("return %s", t.Names.Args), "v%d is the present version of %s", to, t.Function())
			return nil
		case i < 0 || to <= v.N:
			a.Report(u.Pos, diagnostic.Upcast, "the versions are "+versions(known.Args), "%s converts v%d of %s to v%d, which is no later version", u.Func, v.N, t.Function(), to)
			return nil
		}
		v = known.Args[i]
		next := a.upcasterOf(t, v.N)
		if next == nil {
			a.Report(u.Pos, diagnostic.Upcast, fmt.Sprintf("write one from %sV%d, or return %s", t.Names.Args, v.N, t.Names.Args),
				"%s converts to v%d of %s, and no function converts that", u.Func, v.N, t.Function())
			return nil
		}
		u = next
	}
}

// upcasterOf returns the upcaster of a version of a task, or nil.
func (a *application) upcasterOf(t *scan.Task, n int) *scan.Upcaster {
	i := slices.IndexFunc(a.pkg.Upcasters, func(u *scan.Upcaster) bool { return u.From == oldType(t, n) })
	if i < 0 {
		return nil
	}
	return a.pkg.Upcasters[i]
}

// oldType returns the name of the type of a version's arguments.
func oldType(t *scan.Task, n int) string { return fmt.Sprintf("%sV%d", t.Names.Args, n) }

// need has the type of a version's arguments generated.
func (a *application) need(t *scan.Task, v *lock.Version) {
	name := oldType(t, v.N)
	if !slices.ContainsFunc(a.pkg.OldArgs, func(o scan.OldArgs) bool { return o.Name == name }) {
		if slices.Contains(a.pkg.Scope, name) {
			a.Report(t.Pos, diagnostic.NameTaken, "rename it", "%s is a name that dtaskgen needs for v%d of %s", name, v.N, t.Function())
		}
		a.pkg.OldArgs = append(a.pkg.OldArgs, scan.OldArgs{Name: name, Task: t, N: v.N, Schema: v.Schema})
		if v.Schema.HasRaw() {
			a.pkg.Imports[scan.RawJSON] = "json"
		}
	}
}

// unused reports the upcasters that no version needs, and those of which there are
// two.
func (a *application) unused() {
	for i, u := range a.pkg.Upcasters {
		first := slices.IndexFunc(a.pkg.Upcasters, func(o *scan.Upcaster) bool { return o.From == u.From })
		switch {
		case first < i:
			a.Report(u.Pos, diagnostic.Upcast, "keep one", "%s and %s both convert %s", a.pkg.Upcasters[first].Func, u.Func, u.From)
		case !a.used[u]:
			base, n, _ := cutVersion(u.From)
			t := a.taskWith(base)
			if t == nil {
				a.Report(u.Pos, diagnostic.Upcast, "mend the type; or, if the task was renamed, say was=OLD above it, with the name in dtask.lock, and rename this function; else remove it", "%s takes %s, and no task here has %s", u.Func, u.From, base)
				continue
			}
			a.Report(u.Pos, diagnostic.Upcast, "dtask.lock has the versions; if the task was renamed, say was=OLD above it, with the name in full; remove the function if its version is in none",
				"v%s is no earlier version of the arguments of %s", n, t.Function())
		}
	}
}

// cutVersion parts SendArgsV1 into SendArgs and 1.
func cutVersion(name string) (base, n string, ok bool) {
	i := strings.LastIndexByte(name, 'V')
	if i < 0 {
		return name, "", false
	}
	return name[:i], name[i+1:], true
}

func (a *application) taskWith(args string) *scan.Task {
	i := slices.IndexFunc(a.pkg.Tasks, func(t *scan.Task) bool { return t.Names.Args == args })
	if i < 0 {
		return nil
	}
	return a.pkg.Tasks[i]
}

func versions(h lock.History) string {
	var all []string
	for _, v := range slices.Backward(h) {
		all = append(all, fmt.Sprintf("v%d", v.N))
	}
	return strings.Join(all, ", ")
}
