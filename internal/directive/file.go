package directive

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/internal/diagnostic"
)

// A File holds the directives of a file that stand where they can.
type File struct {
	Functions []*Function
	Main      []Directive // those with the place OnMain
	Package   []Directive // those with the place OnPackage
}

// A Function is a function with its directives.
type Function struct {
	Decl       *ast.FuncDecl
	Directives map[string]Directive // by name, those of which there can be one
	Params     []Directive          // those named Param
}

// Read returns the directives of a file, and reports what is wrong with their
// names and places.
func Read(r diagnostic.Reporter, f *ast.File) *File {
	functions := make(map[*ast.CommentGroup]*ast.FuncDecl)
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Doc != nil {
			functions[fn.Doc] = fn
		}
	}
	file := new(File)
	for _, group := range f.Comments {
		fn := functions[group]
		var onFunction []Directive
		for _, c := range group.List {
			d, ok := Recognise(c)
			if !ok || d.doubt && !endsDoc(fn, c) || !wellFormed(r, d) {
				continue
			}
			switch p, _ := place(d.Name); p {
			case OnMain:
				if standsInMain(r, f, group, d) {
					file.Main = append(file.Main, d)
				}
			case OnPackage:
				if standsOnPackage(r, f, group, d) {
					file.Package = append(file.Package, d)
				}
			default:
				onFunction = append(onFunction, d)
			}
		}
		switch {
		case len(onFunction) == 0:
		case fn == nil:
			hint, where := misplacement(f, group, r.Fset)
			for _, d := range onFunction {
				r.ReportAt(d.Pos, diagnostic.Misplaced, hint, "dtask:%s %s", d.Name, where)
			}
		default:
			if byName, ok := distinct(r, onFunction); ok {
				file.Functions = append(file.Functions, &Function{fn, byName, named(onFunction, Param)})
			}
		}
	}
	return file
}

// endsDoc reports whether a comment is the last line of a function's
// documentation, which is where directives stand.
func endsDoc(fn *ast.FuncDecl, c *ast.Comment) bool {
	return fn != nil && fn.Doc.List[len(fn.Doc.List)-1] == c
}

// wellFormed reports a directive that has a flaw, or whose name nobody knows.
func wellFormed(r diagnostic.Reporter, d Directive) bool {
	near := nearest(d.Name, names())
	if d.flaw != "" {
		r.ReportAt(d.Pos, diagnostic.Malformed, fmt.Sprintf("write //dtask:%s", near), "%s", d.flaw)
		return false
	}
	if _, known := place(d.Name); known {
		return true
	}
	hint := "the directives are //dtask:" + strings.Join(names(), ", //dtask:")
	if key, _, ok := strings.Cut(d.Name, "="); ok && optionOf(Task, key) != nil {
		hint = "write //dtask:task " + d.Name
	} else if ok {
		hint = "put a space between the directive and its options"
	} else if near != "" {
		hint = fmt.Sprintf("did you mean //dtask:%s?", near)
	}
	r.ReportAt(d.namePos, diagnostic.UnknownDirective, hint, "unknown directive dtask:%s", d.Name)
	return false
}

// distinct returns the directives of a function by their names. It reports those
// that are repeated, and those that only a task can have if the function is none.
func distinct(r diagnostic.Reporter, ds []Directive) (byName map[string]Directive, ok bool) {
	byName = make(map[string]Directive)
	ok = true
	for _, d := range ds {
		if k, _ := kind(d.Name); k.Many {
			continue
		}
		if first, repeated := byName[d.Name]; repeated {
			r.ReportAt(d.Pos, diagnostic.Repeated, "put everything on one line",
				"dtask:%s is repeated; it is on line %d already", d.Name, r.Fset.Position(first.Pos).Line)
			ok = false
			continue
		}
		byName[d.Name] = d
	}
	_, isTask := byName[Task]
	for _, d := range ds {
		first, single := byName[d.Name]
		if p, _ := place(d.Name); p == OnTask && !isTask && (d == first || !single) {
			r.ReportAt(d.Pos, diagnostic.Misplaced, "add a line //dtask:task", "dtask:%s on a function that is no task", d.Name)
			ok = false
		}
	}
	return byName, ok
}

// named returns the directives with a name.
func named(ds []Directive, name string) (some []Directive) {
	for _, d := range ds {
		if d.Name == name {
			some = append(some, d)
		}
	}
	return some
}

// Marks reports whether a function has a directive, or what may be one.
func Marks(fn *ast.FuncDecl) bool {
	return fn.Doc != nil && slices.ContainsFunc(fn.Doc.List, func(c *ast.Comment) bool {
		_, ok := Recognise(c)
		return ok
	})
}

// Peek returns the directives of a file on disk, wherever they stand. It reports
// nothing, and leaves out what may be prose.
func Peek(fset *token.FileSet, path string) []Directive {
	f, _ := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if f == nil {
		return nil
	}
	var found []Directive
	for _, group := range f.Comments {
		for _, c := range group.List {
			if d, ok := Recognise(c); ok && !d.doubt {
				found = append(found, d)
			}
		}
	}
	return found
}

// PeekTasks returns the functions of a file on disk that are tasks, with the receiver
// before a method, and the names that their directives pin, if they do.
func PeekTasks(path string) (functions, pinned []string) {
	f, _ := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if f == nil {
		return nil, nil
	}
	for _, decl := range f.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Doc == nil {
			continue
		}
		for _, c := range fn.Doc.List {
			d, ok := Recognise(c)
			if !ok || d.Name != Task || !d.WellFormed() {
				continue
			}
			name := fn.Name.Name
			if fn.Recv != nil && len(fn.Recv.List) == 1 {
				name = receiver(fn.Recv.List[0].Type) + "." + name
			}
			functions = append(functions, name)
			args, _ := parseArguments(d.Args, d.ArgsPos)
			for _, a := range args {
				if a.key == "name" {
					pinned = append(pinned, a.value)
				}
			}
		}
	}
	return functions, pinned
}

// receiver returns the name of the type of a receiver.
func receiver(e ast.Expr) string {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// WellFormed reports whether d has the form of a directive.
func (d Directive) WellFormed() bool { return d.flaw == "" }
