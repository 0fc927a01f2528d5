package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dtaskhq/dtask/internal/scan"
)

// A definition is what a generated file says about the messages of a task.
type definition struct {
	schema string
	wire   []string // the fields, as the comment lists them
	pos    token.Position
}

// wireChanges returns a warning for every task whose messages the files would
// make foreign to those on their way: it is gone, or its arguments change.
func wireChanges(pkgs []*scan.Package, files []*file) []*scan.Diagnostic {
	tasks := make(map[string]*scan.Task)
	for _, p := range pkgs {
		for _, t := range p.Tasks {
			tasks[t.Name] = t
		}
	}
	var changes []*scan.Diagnostic
	for _, f := range files {
		old := definitions(f.path, f.old)
		for _, name := range slices.Sorted(maps.Keys(old)) {
			if d := wireChange(name, old[name], tasks[name]); d != nil {
				changes = append(changes, d)
			}
		}
	}
	return changes
}

func wireChange(name string, old definition, t *scan.Task) *scan.Diagnostic {
	switch {
	case t == nil:
		return &scan.Diagnostic{
			Pos: old.pos, Code: scan.CodeWireChange, Warning: true,
			Message: fmt.Sprintf("task %s is gone: its waiting messages will be handed back, then dead-lettered", name),
			Hint:    fmt.Sprintf("if the function was renamed, keep the name of the task with name=%s", name),
		}
	case t.Schema == old.schema:
		return nil
	}
	var differences []string
	for _, line := range old.wire {
		if !slices.Contains(t.Wire, line) {
			differences = append(differences, "- "+line)
		}
	}
	for _, line := range t.Wire {
		if !slices.Contains(old.wire, line) {
			differences = append(differences, "+ "+line)
		}
	}
	d := &scan.Diagnostic{
		Pos: t.Pos, Code: scan.CodeWireChange, Warning: true,
		Message: fmt.Sprintf("the message of %s changes: waiting ones are run only if they decode exactly", name),
		Hint:    "let the queue run dry before old workers are gone, or mark a new function and keep this one meanwhile",
	}
	for _, line := range differences {
		d.Chain = append(d.Chain, scan.Step{Text: line})
	}
	return d
}

// definitions reads the definitions in a generated file, as far as it can: it
// may be damaged.
func definitions(path string, src []byte) map[string]definition {
	found := make(map[string]definition)
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, filepath.Base(path), src, parser.ParseComments|parser.SkipObjectResolution)
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
		pos.Filename = path
		d := definition{schema: schemaField(call.Args[1]), pos: pos}
		if gen.Doc != nil {
			for _, c := range gen.Doc.List {
				if line, ok := strings.CutPrefix(c.Text, "//\t"); ok {
					d.wire = append(d.wire, line)
				}
			}
		}
		found[stringValue(call.Args[0])] = d
	}
	delete(found, "")
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
