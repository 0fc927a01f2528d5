package typecheck

import (
	"go/ast"
	"go/token"
)

// takeApart returns declarations with a declaration for each type and variable
// of a group. Constants stay in their group, as iota counts them.
func takeApart(decls []ast.Decl) []ast.Decl {
	var single []ast.Decl
	for _, d := range decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok || gen.Tok != token.TYPE && gen.Tok != token.VAR {
			single = append(single, d)
			continue
		}
		for _, spec := range gen.Specs {
			single = append(single, &ast.GenDecl{TokPos: spec.Pos(), Tok: gen.Tok, Specs: []ast.Spec{spec}})
		}
	}
	return single
}

// declared returns the names that a declaration adds to its package.
func declared(d ast.Decl) []*ast.Ident {
	var ids []*ast.Ident
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			ids = append(ids, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				ids = append(ids, spec.Name)
			case *ast.ValueSpec:
				ids = append(ids, spec.Names...)
			}
		}
	}
	return ids
}

// resolveAliases adds the methods that are declared on an alias of a type to
// those of the type.
func (s *source) resolveAliases() {
	for base, methods := range s.methods {
		for range 10 { // bounds a cycle; nobody nests so deep
			target := s.aliased(base)
			if target == "" {
				break
			}
			base = target
			s.methods[base] = append(s.methods[base], methods...)
		}
	}
}

// aliased returns the name of the type that a name of the package is an alias
// of, or "".
func (s *source) aliased(name string) string {
	for _, d := range s.decls[name] {
		gen, ok := d.Decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			if t, ok := spec.(*ast.TypeSpec); ok && t.Name.Name == name && t.Assign.IsValid() {
				e := t.Type
				if star, ok := e.(*ast.StarExpr); ok {
					e = star.X
				}
				if id, ok := e.(*ast.Ident); ok {
					return id.Name
				}
			}
		}
	}
	return ""
}
