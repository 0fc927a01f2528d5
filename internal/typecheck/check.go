package typecheck

import (
	"errors"
	"go/ast"
	"go/build"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/packages"
)

// Check fills in the syntax and the types of packages. It type-checks what
// annotated functions need. Of everything else it knows only the names.
func Check(roots []*packages.Package) {
	c := &checker{world: reach(roots), stubs: make(map[*packages.Package]bool)}
	for _, p := range roots {
		c.stubs[p] = true
	}
	for _, p := range roots {
		c.check(p)
	}
}

// A checker type-checks the declarations that were reached.
type checker struct {
	*world
	stubs map[*packages.Package]bool // packages whose other names are wanted too
}

// check type-checks the packages that a package imports, and then itself.
func (c *checker) check(p *packages.Package) {
	if p.Types != nil {
		return
	}
	s := c.source(p)
	p.Types = types.NewPackage(p.PkgPath, p.Name)
	var files []*ast.File
	for _, f := range s.files {
		files = append(files, c.reduce(s, f))
	}
	for name := range s.cTypes {
		files[0].Decls = append(files[0].Decls, declaration(token.TYPE, &ast.TypeSpec{Name: ast.NewIdent(name), Type: typeOfC()}))
	}
	config := types.Config{
		IgnoreFuncBodies: true,
		Sizes:            types.SizesFor("gc", build.Default.GOARCH),
		Importer:         importer{c, p},
		Error:            func(err error) { p.TypeErrors = append(p.TypeErrors, err.(types.Error)) },
	}
	types.NewChecker(&config, c.fset, p.Types, nil).Files(files) // the error is among p.TypeErrors
}

// reduce returns a file with the declarations that were reached and the imports
// they use. The other declarations become stubs, if their names are wanted.
func (c *checker) reduce(s *source, f *sourceFile) *ast.File {
	reduced := &ast.File{Package: f.Package, Name: f.Name, FileStart: f.FileStart, FileEnd: f.FileEnd}
	for _, d := range f.single {
		gen, _ := d.(*ast.GenDecl)
		switch {
		case gen != nil && gen.Tok == token.IMPORT:
			if imports := usedImports(gen, f); len(imports.Specs) > 0 {
				reduced.Decls = append(reduced.Decls, imports)
			}
		case s.keep[d]:
			reduced.Decls = append(reduced.Decls, d)
		case c.stubs[s.pkg]:
			reduced.Decls = append(reduced.Decls, stubs(d)...)
		}
	}
	return reduced
}

func usedImports(gen *ast.GenDecl, f *sourceFile) *ast.GenDecl {
	used := &ast.GenDecl{TokPos: gen.TokPos, Tok: gen.Tok, Lparen: gen.Lparen, Rparen: gen.Rparen}
	for _, spec := range gen.Specs {
		if f.used[spec.(*ast.ImportSpec)] {
			used.Specs = append(used.Specs, spec)
		}
	}
	return used
}

// stubs returns declarations of the names that another one declares.
func stubs(d ast.Decl) []ast.Decl {
	var list []ast.Decl
	for _, id := range declared(d) {
		if id.Name == "_" || id.Name == "init" || id.Name == "main" {
			continue
		}
		list = append(list, declaration(token.VAR, &ast.ValueSpec{Names: []*ast.Ident{id}, Type: emptyStruct(id.Pos())}))
	}
	return list
}

func declaration(tok token.Token, spec ast.Spec) ast.Decl {
	return &ast.GenDecl{TokPos: spec.Pos(), Tok: tok, Specs: []ast.Spec{spec}}
}

func emptyStruct(pos token.Pos) *ast.StructType {
	return &ast.StructType{Struct: pos, Fields: new(ast.FieldList)}
}

// An importer imports what a package imports, as the go command has listed it.
type importer struct {
	*checker
	from *packages.Package
}

func (i importer) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	p := i.from.Imports[path]
	switch {
	case p == nil: // the go command has not listed it
		return nil, errors.New("an import cycle, or no path of a package")
	case p.Name == "":
		return nil, errors.New("no such package")
	case p.Types != nil && !p.Types.Complete():
		return nil, errors.New("import cycle")
	}
	i.check(p)
	return p.Types, nil
}
