package corpus

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
)

const directive = "//dtask:task\n"

// A mark is a directive above a function.
type mark struct {
	file       string // absolute
	dir        string
	name       string // F, or T.M
	offset     int    // of the function in the file as it was
	first, end int    // lines of directive and function in the file as marked
	refused    string // the reason, or empty
}

// markFile puts a directive above every function of a file that could be a
// task by its syntax.
func markFile(path string) ([]*mark, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	var marks []*mark
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || !couldBeTask(fn) {
			continue
		}
		// Not Position: line directives do not count here.
		file := fset.File(fn.Pos())
		start := file.Offset(fn.Type.Func)
		if line := file.Offset(file.LineStart(file.Line(fn.Type.Func))); len(bytes.TrimSpace(src[line:start])) > 0 {
			continue // behind something else, where no directive can be
		}
		marks = append(marks, &mark{
			file:   path,
			dir:    filepath.Dir(path),
			name:   taskName(fn),
			offset: start,
			first:  file.Line(fn.Type.Func),
			end:    file.Line(fn.End()),
		})
	}
	for i, m := range marks { // every mark above moves it down by a line
		m.first += i
		m.end += i + 1
	}
	return marks, writeMarks(path, src, marks)
}

// writeMarks writes a file with the directives of marks.
func writeMarks(path string, src []byte, marks []*mark) error {
	if len(marks) == 0 {
		return nil
	}
	var out bytes.Buffer
	at := 0
	for _, m := range marks {
		out.Write(src[at:m.offset])
		out.WriteString(directive)
		at = m.offset
	}
	out.Write(src[at:])
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// unmark takes the directives of refused marks out of a file again. An empty
// comment stays in the place of each, so that lines keep their numbers.
func unmark(path string, refused []*mark) error {
	src, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := bytes.SplitAfter(src, []byte("\n"))
	for _, m := range refused {
		line := &lines[m.first-1]
		if !bytes.HasSuffix(*line, []byte(directive)) {
			return fmt.Errorf("%s:%d: no directive to take out", path, m.first)
		}
		*line = []byte("//\n")
	}
	return os.WriteFile(path, bytes.Join(lines, nil), 0o644)
}

// couldBeTask reports whether the syntax of a function allows it to be a task:
// no type parameters, and the results (), error or (R, error).
func couldBeTask(fn *ast.FuncDecl) bool {
	name := fn.Name.Name
	if fn.Type.TypeParams != nil || name == "_" || fn.Recv == nil && (name == "main" || name == "init") {
		return false
	}
	if _, generic := receiver(fn); generic {
		return false
	}
	var results []ast.Expr
	if fn.Type.Results != nil {
		for _, r := range fn.Type.Results.List {
			for range max(len(r.Names), 1) {
				results = append(results, r.Type)
			}
		}
	}
	switch len(results) {
	case 0:
		return true
	case 1, 2:
		last, ok := results[len(results)-1].(*ast.Ident)
		return ok && last.Name == "error"
	}
	return false
}

func taskName(fn *ast.FuncDecl) string {
	if r, _ := receiver(fn); r != "" {
		return r + "." + fn.Name.Name
	}
	return fn.Name.Name
}

// receiver returns the type of a method's receiver, or "" for a function.
func receiver(fn *ast.FuncDecl) (name string, generic bool) {
	if fn.Recv == nil || len(fn.Recv.List) != 1 {
		return "", false
	}
	for e := fn.Recv.List[0].Type; ; {
		switch x := e.(type) {
		case *ast.ParenExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e, generic = x.X, true
		case *ast.IndexListExpr:
			e, generic = x.X, true
		case *ast.Ident:
			return x.Name, generic
		default:
			return "", generic
		}
	}
}
