package scan

import (
	"go/ast"
	"go/parser"
	goscanner "go/scanner"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/tools/go/ast/astutil"
	"golang.org/x/tools/go/packages"
)

// A world is the source of packages, as far as annotated signatures lead.
type world struct {
	fset    *token.FileSet
	sources map[*packages.Package]*source
	todo    []name // what was reached and not yet looked at
}

// A name is a declaration of a package.
type name struct {
	in   *source
	name string
}

// A source is a package in source.
type source struct {
	pkg     *packages.Package
	files   []*sourceFile
	decls   map[string][]decl
	methods map[string][]decl // by the name of the type
	reached map[string]bool   // names
	keep    map[ast.Decl]bool // declarations
	cTypes  map[string]bool   // names of cgo that were reached
}

// A sourceFile is a file, and its imports by the names they have in it.
type sourceFile struct {
	*ast.File
	single  []ast.Decl // its declarations, with groups of types and variables taken apart
	imports map[string]*ast.ImportSpec
	dots    []*ast.ImportSpec
	used    map[*ast.ImportSpec]bool
}

// A decl is a declaration and the file it is in.
type decl struct {
	ast.Decl
	file *sourceFile
}

// wireMethods are the methods that matter to what a type is on the wire.
var wireMethods = map[string]bool{
	"MarshalJSON": true, "UnmarshalJSON": true, "MarshalText": true, "UnmarshalText": true,
	"Error": true, "ProtoReflect": true,
}

// reach parses the packages and marks the declarations that their annotated
// functions lead to, in whatever package: the types in signatures, what these
// consist of, and the methods by which they encode themselves.
//
// It goes by names alone, and rather keeps too much than too little.
func reach(roots []*packages.Package) *world {
	w := &world{fset: token.NewFileSet(), sources: make(map[*packages.Package]*source)}
	w.parseAll(roots)
	for _, p := range roots {
		s := w.source(p)
		for _, f := range s.files {
			for _, d := range f.single {
				if fn, ok := d.(*ast.FuncDecl); ok && annotated(fn) {
					w.visit(s, decl{d, f})
				}
			}
		}
	}
	for len(w.todo) > 0 {
		next := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		w.follow(next)
	}
	return w
}

// annotated reports whether a function has a directive, or what may be one.
func annotated(fn *ast.FuncDecl) bool {
	if fn.Doc == nil {
		return false
	}
	for _, c := range fn.Doc.List {
		if _, ok := recognise(c); ok {
			return true
		}
	}
	return false
}

// follow visits what a name declares.
func (w *world) follow(n name) {
	for _, d := range n.in.decls[n.name] {
		w.visit(n.in, d)
	}
	for _, d := range n.in.methods[n.name] {
		if wireMethods[d.Decl.(*ast.FuncDecl).Name.Name] {
			w.visit(n.in, d)
		}
	}
}

// visit keeps a declaration and reaches for the names in it.
func (w *world) visit(s *source, d decl) {
	if s.keep[d.Decl] {
		return
	}
	s.keep[d.Decl] = true
	s.renameC(d)
	ast.Inspect(d.Decl, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BlockStmt:
			return false
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if !ok {
				return true
			}
			if spec := d.file.imports[x.Name]; spec != nil {
				d.file.used[spec] = true
				w.reachImport(s, spec, n.Sel.Name)
				return false
			}
		case *ast.Ident:
			w.reachName(s, n.Name)
			for _, spec := range d.file.dots {
				if !s.declares(n.Name) {
					d.file.used[spec] = true
					w.reachImport(s, spec, n.Name)
				}
			}
		}
		return true
	})
}

// renameC gives the names of cgo those that cgo itself gives them: C.int
// becomes _Ctype_int. So C need not be imported, and cgo need not run.
func (s *source) renameC(d decl) {
	if d.file.imports["C"] == nil {
		return
	}
	astutil.Apply(d.Decl, func(c *astutil.Cursor) bool {
		sel, ok := c.Node().(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Name == "C" {
			id := &ast.Ident{NamePos: x.NamePos, Name: cTypePrefix + sel.Sel.Name}
			s.cTypes[id.Name] = true
			c.Replace(id)
			return false
		}
		return true
	}, nil)
}

// cTypePrefix is what cgo puts in front of the name of a type of C.
const cTypePrefix = "_Ctype_"

func (s *source) declares(name string) bool { return len(s.decls[name]) > 0 }

func (w *world) reachName(s *source, n string) {
	if s.declares(n) && !s.reached[n] {
		s.reached[n] = true
		w.todo = append(w.todo, name{s, n})
	}
}

func (w *world) reachImport(s *source, spec *ast.ImportSpec, n string) {
	importPath, _ := strconv.Unquote(spec.Path.Value)
	if p := s.pkg.Imports[importPath]; p != nil {
		w.reachName(w.source(p), n)
	}
}

// source returns the source of a package.
func (w *world) source(p *packages.Package) *source {
	if s := w.sources[p]; s != nil {
		return s
	}
	s := parse(w.fset, p)
	w.sources[p] = s
	return s
}

// parseAll parses packages side by side.
func (w *world) parseAll(pkgs []*packages.Package) {
	parsed := make([]*source, len(pkgs))
	var running sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i, p := range pkgs {
		slots <- struct{}{}
		running.Go(func() {
			parsed[i] = parse(w.fset, p)
			<-slots
		})
	}
	running.Wait()
	for i, p := range pkgs {
		w.sources[p] = parsed[i]
	}
}

// parse parses a package, and adds what it finds wrong to the package's errors.
// Generated files are left out.
func parse(fset *token.FileSet, p *packages.Package) *source {
	s := &source{
		pkg:     p,
		decls:   make(map[string][]decl),
		methods: make(map[string][]decl),
		reached: make(map[string]bool),
		keep:    make(map[ast.Decl]bool),
		cTypes:  make(map[string]bool),
	}
	p.Fset = fset
	p.Errors = slices.DeleteFunc(p.Errors, func(e packages.Error) bool { return e.Kind == packages.ParseError }) // told anew, and in full
	for _, file := range p.GoFiles {
		src, err := os.ReadFile(file)
		if err != nil {
			p.Errors = append(p.Errors, packages.Error{Pos: file, Msg: err.Error(), Kind: packages.ParseError})
			continue
		}
		if filepath.Base(file) == GeneratedFile && isGenerated(src) {
			continue
		}
		f, err := parseFile(fset, file, src)
		if list, ok := err.(goscanner.ErrorList); ok {
			for _, e := range list {
				p.Errors = append(p.Errors, packages.Error{Pos: e.Pos.String(), Msg: e.Msg, Kind: packages.ParseError})
			}
		}
		if f != nil {
			p.Syntax = append(p.Syntax, f)
			s.add(f)
		}
	}
	s.resolveAliases()
	return s
}

// parseFile parses a file without the bodies of its functions, and without
// comments unless there may be a directive among them.
func parseFile(fset *token.FileSet, path string, src []byte) (*ast.File, error) {
	mode := parser.SkipObjectResolution | parser.AllErrors
	if mentionsDirective(src) {
		mode |= parser.ParseComments
	}
	f, err := parser.ParseFile(fset, path, src, mode)
	if f == nil {
		return nil, err
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
			fn.Body.List = nil
		}
	}
	return f, err
}

// add takes in the declarations and imports of a file.
func (s *source) add(f *ast.File) {
	file := &sourceFile{File: f, imports: make(map[string]*ast.ImportSpec), used: make(map[*ast.ImportSpec]bool)}
	s.files = append(s.files, file)
	for _, spec := range f.Imports {
		importPath, _ := strconv.Unquote(spec.Path.Value)
		switch {
		case spec.Name != nil && spec.Name.Name == ".":
			file.dots = append(file.dots, spec)
		case spec.Name != nil:
			file.imports[spec.Name.Name] = spec
		case s.pkg.Imports[importPath] != nil && s.pkg.Imports[importPath].Name != "":
			file.imports[s.pkg.Imports[importPath].Name] = spec
		default:
			file.imports[path.Base(importPath)] = spec // missing: what the type checker calls it
		}
	}
	file.single = takeApart(f.Decls)
	for _, d := range file.single {
		for _, id := range declared(d) {
			s.decls[id.Name] = append(s.decls[id.Name], decl{d, file})
		}
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil {
			base, _ := receiverName(fn.Recv)
			s.methods[base] = append(s.methods[base], decl{d, file})
		}
	}
}

// takeApart returns declarations with a declaration for each type and variable
// of a group. Constants of a group belong together, by iota.
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

// resolveAliases files the methods that are declared by an alias of a type
// under the type as well.
func (s *source) resolveAliases() {
	for base, methods := range s.methods {
		for range 10 { // more than anybody nests
			target := s.aliased(base)
			if target == "" {
				break
			}
			base = target
			s.methods[base] = append(s.methods[base], methods...)
		}
	}
}

// aliased returns the name of the type of the package that a name is an alias
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
