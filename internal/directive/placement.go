package directive

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"

	"github.com/dtaskhq/dtask/internal/diagnostic"
)

// standsInMain reports whether a directive with the place OnMain stands there.
func standsInMain(r diagnostic.Reporter, f *ast.File, group *ast.CommentGroup, d Directive) bool {
	onDeclaration := slices.ContainsFunc(f.Decls, func(decl ast.Decl) bool {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			return decl.Doc == group
		case *ast.GenDecl:
			return decl.Doc == group && decl.Tok != token.IMPORT
		}
		return false
	})
	switch {
	case !onDeclaration:
		r.ReportAt(d.Pos, diagnostic.Misplaced, "put it directly above a declaration, such as func main", "dtask:%s is on no declaration", d.Name)
		return false
	case f.Name.Name != "main":
		r.ReportAt(d.Pos, diagnostic.Misplaced, "put it into the package main of the worker", "dtask:%s is in package %s", d.Name, f.Name.Name)
		return false
	}
	return true
}

// standsOnPackage reports whether a directive with the place OnPackage stands
// there.
func standsOnPackage(r diagnostic.Reporter, f *ast.File, group *ast.CommentGroup, d Directive) bool {
	if group != f.Doc {
		r.ReportAt(d.Pos, diagnostic.Misplaced, "put it directly above the package clause", "dtask:%s is not on the package clause", d.Name)
		return false
	}
	return true
}

// misplacement says where a comment stands that does not document a function, and
// what to do about it. The first follows "dtask:task" in a sentence.
func misplacement(f *ast.File, group *ast.CommentGroup, fset *token.FileSet) (hint, where string) {
	const move = "put it directly above a function"
	if group == f.Doc {
		return move, "is on the package clause"
	}
	line := func(pos token.Pos) int { return fset.PositionFor(pos, false).Line }
	for _, decl := range f.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok {
			switch groupLine := line(group.End()); {
			case fn.Pos() <= group.Pos() && group.End() <= fn.End():
				return move, "is inside a function"
			case fn.End() < group.Pos() && line(fn.End()) == groupLine:
				return move, "is behind a function"
			case group.End() < fn.Pos() && line(fn.Pos()) == groupLine:
				return "break the line before func", fmt.Sprintf("is in a comment on the line of %s", fn.Name.Name)
			case detached(f, group, fn):
				return "remove the blank line", fmt.Sprintf("is detached from %s by a blank line", fn.Name.Name)
			}
			continue
		}
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Doc != group && (group.Pos() < gen.Pos() || gen.End() < group.Pos()) {
			continue
		}
		if inInterface(gen, group) {
			return "put it above the method of a type that implements the interface", "is on a method of an interface"
		}
		kind := map[token.Token]string{
			token.TYPE: "a type", token.VAR: "a variable", token.CONST: "a constant", token.IMPORT: "an import",
		}[gen.Tok]
		return move, "is on " + kind
	}
	return move, "belongs to no function"
}

// detached reports whether only blank lines separate a comment from a function, or
// from its documentation.
func detached(f *ast.File, group *ast.CommentGroup, fn *ast.FuncDecl) bool {
	start := fn.Pos()
	if fn.Doc != nil {
		start = fn.Doc.Pos()
	}
	return group.End() < fn.Pos() && onlyBlank(f, group.End(), start)
}

// onlyBlank reports whether there is neither code nor a comment between two
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

// inInterface reports whether a comment stands in the declaration of an
// interface.
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
