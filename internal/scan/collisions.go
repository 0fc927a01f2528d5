package scan

import (
	"fmt"
	"go/types"

	"github.com/dtaskhq/dtask/internal/diagnostic"
)

// checkGeneratedNames reports declarations of the package whose names generated
// code needs, and names that it needs for two tasks.
func (p *packageScan) checkGeneratedNames() {
	owner := make(map[string]*Task)
	for _, t := range p.pkg.Tasks {
		for _, name := range t.declared() {
			if other := owner[name]; other != nil {
				p.Report(t.Pos, diagnostic.NameTaken, "rename one of the two functions",
					"%s and %s both need the name %s", other.Function(), t.Function(), name)
				break
			}
			owner[name] = t
			p.checkFree(name, p.nameHint(t, name), "task "+t.Function())
		}
	}
	if p.pkg.Table != nil {
		p.checkFree(TableFunc, "rename it", "the table of the program")
	}
	if len(p.pkg.Tasks) > 0 {
		p.checkFree(TasksFunc, "rename it", "the dispatch table of the package")
		p.checkPredeclared()
	}
}

// nameHint returns what to do about a declaration whose name a task needs. A
// struct with the name of the arguments is taken for them only by value.
func (p *packageScan) nameHint(t *Task, name string) string {
	if name == t.Names.Args && len(t.Params) == 1 && !t.Variadic && p.pointsTo(t, name) {
		return fmt.Sprintf("take it by value, as %s(%s %s), to have its fields as the arguments", t.Function(), t.Params[0].Name, name)
	}
	return "rename it, or the function"
}

// pointsTo reports whether the one parameter of t is a pointer to a type of its
// package.
func (p *packageScan) pointsTo(t *Task, name string) bool {
	typ := t.Params[0].Type
	return len(typ) == 2 && typ[0] == Word{Text: "*"} && typ[1] == Word{Pkg: p.pkg.Path, Text: name}
}

// declared returns the names that generated code declares for t.
func (t *Task) declared() []string {
	if t.OwnArgs {
		return []string{t.Names.Task, t.Names.Delay}
	}
	return []string{t.Names.Task, t.Names.Delay, t.Names.Args}
}

// checkFree reports a declaration of the package with a name that generated code
// needs for something.
func (p *packageScan) checkFree(name, hint, something string) {
	if obj := p.scope().Lookup(name); obj != nil {
		p.ReportAt(obj.Pos(), diagnostic.NameTaken, hint, "%s is a name that dtaskgen needs for %s", name, something)
	}
}

// checkPredeclared reports declarations of the package with a predeclared name
// that generated code uses.
func (p *packageScan) checkPredeclared() {
	used := map[string]bool{"error": true, "nil": true, "true": true}
	use := func(t Type) {
		for _, w := range t {
			if w.Pkg != "" {
				continue // declared by a package
			}
			for _, id := range w.Identifiers() {
				used[id] = true
			}
		}
	}
	for _, t := range p.pkg.Tasks {
		use(t.Result)
		for _, param := range t.Params {
			use(param.Type)
		}
	}
	for _, name := range types.Universe.Names() {
		if obj := p.scope().Lookup(name); obj != nil && used[name] {
			p.ReportAt(obj.Pos(), diagnostic.NameTaken, "rename it",
				"%s hides the predeclared %s, which generated code needs", name, name)
		}
	}
}
