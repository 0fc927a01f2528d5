package templates

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// A Definition is what a generated file says about a task. It is written by
// definition.go.
type Definition struct {
	Pos    token.Position // of the task's name
	Schema string
	Wire   []string // the fields of the message
}

// Definitions returns the definitions in a generated file by the names of their
// tasks. A damaged file has none.
func Definitions(filename string, src []byte) map[string]Definition {
	found := make(map[string]Definition)
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, filepath.Base(filename), src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return found
	}
	for _, decl := range f.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR || len(gen.Specs) != 1 {
			continue
		}
		values := gen.Specs[0].(*ast.ValueSpec).Values
		if len(values) != 1 {
			continue
		}
		call, ok := values[0].(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			continue
		}
		pos := fset.Position(call.Args[0].Pos())
		pos.Filename = filename
		d := Definition{Pos: pos, Schema: schemaField(call.Args[1])}
		if gen.Doc != nil {
			for _, c := range gen.Doc.List {
				if line, ok := strings.CutPrefix(c.Text, "//\t"); ok {
					d.Wire = append(d.Wire, line)
				}
			}
		}
		found[stringValue(call.Args[0])] = d
	}
	delete(found, "")
	return found
}

// importNames returns the names of the imports in a generated file by their paths.
// A file that is damaged above the end of its imports has none.
func importNames(src []byte) map[string]string {
	found := make(map[string]string)
	f, err := parser.ParseFile(token.NewFileSet(), "", src, parser.ImportsOnly)
	if err != nil {
		return found
	}
	for _, spec := range f.Imports {
		importPath, _ := strconv.Unquote(spec.Path.Value)
		if spec.Name != nil {
			found[importPath] = spec.Name.Name
		} else {
			found[importPath] = path.Base(importPath)
		}
	}
	return found
}

// schemaField returns the fingerprint in a literal of dtask.Spec.
func schemaField(e ast.Expr) string {
	lit, ok := e.(*ast.CompositeLit)
	if !ok {
		return ""
	}
	for _, elt := range lit.Elts {
		if kv, ok := elt.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Schema" {
				return stringValue(kv.Value)
			}
		}
	}
	return ""
}

func stringValue(e ast.Expr) string {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		if s, err := strconv.Unquote(lit.Value); err == nil {
			return s
		}
	}
	return ""
}
