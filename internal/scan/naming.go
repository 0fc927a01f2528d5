package scan

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The names of generated functions that do not depend on a task.
const (
	TasksFunc = "Tasks"    // the dispatch table of a package
	TableFunc = "allTasks" // the table of a program
)

// names returns the names generated for a function, or for a method of typ.
// They are exported if the function is, and the type too.
func names(fn, typ string) Names {
	base := fn
	if typ != "" {
		base = typ + Capitalize(fn)
	}
	if !ast.IsExported(fn) || typ != "" && !ast.IsExported(typ) {
		return Names{
			Args:  Uncapitalize(base) + "Args",
			Task:  Uncapitalize(base) + "Task",
			Delay: "delay" + Capitalize(base),
		}
	}
	return Names{Args: base + "Args", Task: base + "Task", Delay: "Delay" + base}
}

// taskName returns the name that messages carry: the path of the package
// inside its module, or the name of the module's root package, and the
// function.
func taskName(c *candidate, pkgName, fn, typ string) string {
	prefix := c.path
	if c.module != "" {
		prefix = strings.TrimPrefix(strings.TrimPrefix(c.path, c.module), "/")
	}
	if prefix == "" {
		prefix = pkgName
	}
	if typ != "" {
		fn = typ + "." + fn
	}
	return path.Clean(prefix) + "." + fn
}

// Capitalize makes the first letter of s a capital one, if it can be.
func Capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// Uncapitalize makes the first word of s lower case: Mailer becomes mailer,
// HTTPClient httpClient, ID id.
func Uncapitalize(s string) string {
	runes := []rune(s)
	for i, r := range runes {
		if !unicode.IsUpper(r) || i > 0 && i+1 < len(runes) && unicode.IsLower(runes[i+1]) {
			break
		}
		runes[i] = unicode.ToLower(r)
	}
	return string(runes)
}

// checkGeneratedNames reports the names of the package's own that generated
// code needs, and those that two tasks would share.
func (p *packageScan) checkGeneratedNames() {
	owner := make(map[string]*Task)
	for _, t := range p.pkg.Tasks {
		generated := []string{t.Names.Task, t.Names.Delay}
		if !t.OwnArgs {
			generated = append(generated, t.Names.Args)
		}
		for _, name := range generated {
			if other := owner[name]; other != nil {
				p.report(t.Pos, CodeNameTaken, "rename one of the two functions",
					"%s and %s both need the name %s", other.describe(), t.describe(), name)
				break
			}
			owner[name] = t
			if obj := p.scope().Lookup(name); obj != nil {
				p.report(p.pos(obj.Pos()), CodeNameTaken, "rename it, or the function",
					"%s is a name that dtaskgen needs for task %s", name, t.describe())
			}
		}
	}
	if p.pkg.Table != nil {
		if obj := p.scope().Lookup(TableFunc); obj != nil {
			p.report(p.pos(obj.Pos()), CodeNameTaken, "rename it",
				"%s is a name that dtaskgen needs for the table of the program", TableFunc)
		}
	}
	if len(p.pkg.Tasks) == 0 {
		return
	}
	if obj := p.scope().Lookup(TasksFunc); obj != nil {
		p.report(p.pos(obj.Pos()), CodeNameTaken, "rename it",
			"%s is a name that dtaskgen needs for the dispatch table of the package", TasksFunc)
	}
	p.checkPredeclared()
}

// checkPredeclared reports declarations of the package that hide a predeclared
// name which generated code uses.
func (p *packageScan) checkPredeclared() {
	used := map[string]bool{"error": true, "nil": true, "true": true}
	for _, t := range p.pkg.Tasks {
		types := []Type{t.Result}
		for _, param := range t.Params {
			types = append(types, param.Type)
		}
		for _, typ := range types {
			for _, w := range typ {
				for _, id := range w.Identifiers() {
					used[id] = w.Pkg == ""
				}
			}
		}
	}
	for _, name := range universe {
		if obj := p.scope().Lookup(name); obj != nil && used[name] {
			p.report(p.pos(obj.Pos()), CodeNameTaken, "rename it",
				"%s hides the predeclared %s, which generated code needs", name, name)
		}
	}
}

// Identifiers returns the identifiers in the text of w: names, keywords, and
// names of fields.
func (w Word) Identifiers() []string {
	return strings.FieldsFunc(w.Text, func(r rune) bool {
		return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// checkTaskNames reports names that two tasks of the run share: a worker could
// not tell their messages apart.
func (s *scanner) checkTaskNames(found []*candidate, scanned map[string]*Package) {
	first := make(map[string]*Task)
	for _, c := range found {
		for _, t := range scanned[c.path].Tasks {
			other := first[t.Name]
			if other == nil {
				first[t.Name] = t
				continue
			}
			if comparePos(t.Pos, other.Pos) < 0 {
				t, other = other, t
			}
			d := s.report(t.Pos, CodeDuplicateTask, "give one of the two another name with //dtask:task name=NAME",
				"two tasks are named %q", t.Name)
			d.Chain = []Step{{Pos: other.Pos, Text: "the other one is " + other.describe()}}
		}
	}
}

// collectReceivers lists the types of the package's methods among the tasks.
func (p *packageScan) collectReceivers() {
	byType := make(map[string]*Receiver)
	for _, t := range p.pkg.Tasks {
		if t.Receiver == nil {
			continue
		}
		r := byType[t.Receiver.Type]
		if r == nil {
			r = &Receiver{Type: t.Receiver.Type}
			byType[r.Type] = r
			p.pkg.Receivers = append(p.pkg.Receivers, r)
		}
		r.Pointer = r.Pointer || t.Receiver.Pointer
		t.Receiver = r
	}
	slices.SortFunc(p.pkg.Receivers, func(a, b *Receiver) int { return strings.Compare(a.Type, b.Type) })
}

// describe returns the function as its user calls it: Send, or Mailer.Send.
func (t *Task) describe() string {
	if t.Receiver != nil {
		return t.Receiver.Type + "." + t.Func
	}
	return t.Func
}
