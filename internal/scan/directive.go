package scan

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// The directives.
const (
	tool = "dtask"

	directiveTask  = "task"
	directiveCron  = "cron"
	directiveTable = "table"
)

var directives = []string{directiveTask, directiveCron, directiveTable}

// A directive is a comment that is, or seems to be meant as, a directive of
// dtask.
type directive struct {
	pos     token.Pos // of the comment
	name    string    // what follows "dtask:"
	namePos token.Pos
	args    string // the rest of the line
	argsPos token.Pos
	flaw    string // why it is no directive, or empty
	doubt   bool   // it has a flaw, and is prose unless it ends the comment of a function
}

// recognise returns the directive in a comment, or what was meant as one. Go's
// own rule (go/ast.ParseDirective) is strict: with a space, a capital or in a
// block comment it is just prose.
func recognise(c *ast.Comment) (directive, bool) {
	if d, ok := ast.ParseDirective(c.Slash, c.Text); ok {
		return directive{
			pos:     c.Slash,
			name:    d.Name,
			namePos: c.Slash + token.Pos(len("//dtask:")),
			args:    d.Args,
			argsPos: d.ArgsPos,
		}, d.Tool == tool
	}
	d := directive{pos: c.Slash, namePos: c.Slash}
	if block, ok := strings.CutPrefix(c.Text, "/*"); ok {
		for line := range strings.Lines(strings.TrimSuffix(block, "*/")) {
			if m := misspelt(strings.Trim(line, "* \t\n")); m.name != "" {
				d.name, d.flaw, d.doubt = m.name, "a directive is a line comment", m.doubt
				return d, true
			}
		}
		return d, false
	}
	text := strings.TrimPrefix(c.Text, "//")
	line := strings.TrimLeft(strings.TrimPrefix(text, "/"), "+@ ") // ///dtask:task, // +dtask:task
	spaced := strings.HasPrefix(text, " ")
	m := misspelt(line)
	d.name, d.flaw, d.doubt = m.name, m.flaw, m.doubt && spaced
	switch {
	case d.flaw != "":
	case spaced:
		d.flaw = "a directive has no space after //"
	case line != text:
		d.flaw = flawBeginning
	default:
		d.flaw = "a directive is written in lower case"
	}
	return d, d.name != ""
}

const flawBeginning = "a directive begins with //dtask:"

// A misspelling is what a line of prose was probably meant as.
type misspelling struct {
	name  string // of the directive, or empty
	flaw  string // beyond the place and the case of its letters
	doubt bool   // it may be prose as well: there is neither a colon nor an argument
}

// misspelt tells misspelt directives from prose about dtask. A name that does
// not follow a colon is written right, and nothing comes after it but what may
// be an argument.
func misspelt(line string) misspelling {
	if len(line) < len(tool) || !strings.EqualFold(line[:len(tool)], tool) {
		return misspelling{}
	}
	rest := line[len(tool):]
	if word, ok := strings.CutPrefix(rest, ":"); ok {
		word, _, _ = strings.Cut(word, " ")
		if near := nearest(strings.ToLower(word), directives); near != "" {
			return misspelling{name: near}
		}
	}
	word, args, _ := strings.Cut(strings.TrimLeft(rest, ":.-_ \t"), " ")
	key, _, isOption := strings.Cut(word, "=")
	switch {
	case rest == "" || rest == ":" || isOption && slices.Contains(optionNames, key):
		return misspelling{directiveTask, "a directive has a name behind //dtask:", !isOption}
	case !slices.Contains(directives, word) || !mayBeArguments(args):
		return misspelling{}
	case strings.HasPrefix(rest, ": "):
		return misspelling{word, "a directive has no space after the colon", false}
	}
	return misspelling{word, flawBeginning, args == "" && !strings.HasPrefix(rest, ":")}
}

// mayBeArguments reports whether a line is empty, or begins as an option, a
// schedule or a pattern of packages does.
func mayBeArguments(line string) bool {
	first, _, _ := strings.Cut(strings.TrimLeft(line, " "), " ")
	return first == "" || strings.ContainsAny(first, "=@*/") || '0' <= first[0] && first[0] <= '9'
}

// A mark is a function with its directives.
type mark struct {
	fn   *ast.FuncDecl
	task *directive
	cron *directive
}

// marks returns the functions of f that directives mark as tasks, and reports
// the directives that mark nothing.
func (p *packageScan) marks(f *ast.File) []mark {
	functions := make(map[*ast.CommentGroup]*ast.FuncDecl)
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Doc != nil {
			functions[fn.Doc] = fn
		}
	}
	var marks []mark
	for _, group := range f.Comments {
		var ds []directive
		for _, c := range group.List {
			d, ok := recognise(c)
			switch {
			case !ok || d.doubt && !endsDoc(functions[group], c) || !p.wellFormed(d):
			case d.name == directiveTable:
				p.table(f, group, d)
			default:
				ds = append(ds, d)
			}
		}
		if len(ds) == 0 {
			continue
		}
		if fn := functions[group]; fn != nil {
			if m := p.mark(fn, ds); m.task != nil {
				marks = append(marks, m)
			}
			continue
		}
		hint, where := placement(f, group, p.loaded.Fset)
		for _, d := range ds {
			p.report(p.pos(d.pos), CodeMisplaced, hint, "dtask:%s %s", d.name, where)
		}
	}
	return marks
}

// endsDoc reports whether a comment is the last line of a function's
// documentation, where directives are.
func endsDoc(fn *ast.FuncDecl, c *ast.Comment) bool {
	return fn != nil && fn.Doc.List[len(fn.Doc.List)-1] == c
}

// wellFormed reports a directive that is none, or none that we know.
func (p *packageScan) wellFormed(d directive) bool {
	switch near := nearest(d.name, directives); {
	case d.flaw != "":
		p.report(p.pos(d.pos), CodeMalformed, fmt.Sprintf("write //dtask:%s", near), "%s", d.flaw)
		return false
	case slices.Contains(directives, d.name):
		return true
	case strings.Contains(d.name, "="):
		hint := "put a space between the directive and its options"
		if key, _, _ := strings.Cut(d.name, "="); slices.Contains(optionNames, key) {
			hint = "write //dtask:task " + d.name
		}
		p.report(p.pos(d.namePos), CodeUnknownDirective, hint, "unknown directive dtask:%s", d.name)
		return false
	case near != "":
		p.report(p.pos(d.namePos), CodeUnknownDirective, fmt.Sprintf("did you mean //dtask:%s?", near), "unknown directive dtask:%s", d.name)
		return false
	default:
		hint := "the directives are //dtask:" + strings.Join(directives, ", //dtask:")
		p.report(p.pos(d.namePos), CodeUnknownDirective, hint, "unknown directive dtask:%s", d.name)
		return false
	}
}

// mark sorts the directives of a function. The mark has no task if something
// is wrong with them.
func (p *packageScan) mark(fn *ast.FuncDecl, ds []directive) mark {
	m := mark{fn: fn}
	repeated := false
	for i := range ds {
		slot := &m.task
		if ds[i].name == directiveCron {
			slot = &m.cron
		}
		if *slot != nil {
			repeated = true
			p.report(p.pos(ds[i].pos), CodeRepeated, "put everything on one line",
				"dtask:%s is repeated; it is on line %d already", ds[i].name, p.pos((*slot).pos).Line)
			continue
		}
		*slot = &ds[i]
	}
	if m.task == nil {
		p.report(p.pos(m.cron.pos), CodeMisplaced, "add a line //dtask:task", "dtask:cron on a function that is no task")
	}
	if repeated {
		m.task = nil
	}
	return m
}

// placement says what a comment that is no function's documentation belongs to, to
// follow "dtask:task", and what to do about it.
func placement(f *ast.File, group *ast.CommentGroup, fset *token.FileSet) (hint, text string) {
	const move = "put it directly above a function"
	if group == f.Doc {
		return move, "is on the package clause"
	}
	for _, decl := range f.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok {
			switch line := fset.PositionFor(group.End(), false).Line; {
			case fn.Pos() <= group.Pos() && group.End() <= fn.End():
				return move, "is inside a function"
			case fn.End() < group.Pos() && fset.PositionFor(fn.End(), false).Line == line:
				return move, "is behind a function"
			case group.End() < fn.Pos() && fset.PositionFor(fn.Pos(), false).Line == line:
				return "break the line before func", fmt.Sprintf("is in a comment on the line of %s", fn.Name.Name)
			case fn.Doc == nil && group.End() < fn.Pos() && onlyBlank(f, group.End(), fn.Pos()):
				return "remove the blank line", fmt.Sprintf("is detached from %s by a blank line", fn.Name.Name)
			case fn.Doc != nil && group.End() < fn.Pos() && onlyBlank(f, group.End(), fn.Doc.Pos()):
				return "remove the blank line", fmt.Sprintf("is detached from %s by a blank line", fn.Name.Name)
			}
			continue
		}
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Doc != group && (group.Pos() < gen.Pos() || gen.End() < group.Pos()) {
			continue
		}
		kind := map[token.Token]string{
			token.TYPE: "a type", token.VAR: "a variable", token.CONST: "a constant", token.IMPORT: "an import",
		}[gen.Tok]
		if inInterface(gen, group) {
			return "put it above the method of a type that implements the interface", "is on a method of an interface"
		}
		return move, "is on " + kind
	}
	return move, "belongs to no function"
}

// onlyBlank reports whether there is neither code nor comment between two
// positions.
func onlyBlank(f *ast.File, from, to token.Pos) bool {
	for _, d := range f.Decls {
		if from < d.End() && d.Pos() < to {
			return false
		}
	}
	for _, g := range f.Comments {
		if from < g.Pos() && g.End() < to {
			return false
		}
	}
	return true
}

// inInterface reports whether a comment documents a method of an interface.
func inInterface(decl *ast.GenDecl, group *ast.CommentGroup) bool {
	found := false
	ast.Inspect(decl, func(n ast.Node) bool {
		if it, ok := n.(*ast.InterfaceType); ok && it.Pos() <= group.Pos() && group.End() <= it.End() {
			found = true
		}
		return !found
	})
	return found
}
