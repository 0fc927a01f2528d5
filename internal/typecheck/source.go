package typecheck

import (
	"go/ast"
	"go/parser"
	goscanner "go/scanner"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/tools/go/packages"

	"github.com/dtaskhq/dtask/internal/directive"
	"github.com/dtaskhq/dtask/internal/generated"
)

// A source is the syntax of a package, and what of it was reached.
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
	// The go command reports the first error of a file. Parsing finds them all.
	p.Errors = slices.DeleteFunc(p.Errors, func(e packages.Error) bool { return e.Kind == packages.ParseError })
	for _, file := range p.GoFiles {
		src, err := os.ReadFile(file)
		if err != nil {
			p.Errors = append(p.Errors, packages.Error{Pos: file, Msg: err.Error(), Kind: packages.ParseError})
			continue
		}
		if filepath.Base(file) == generated.File && generated.Is(src) {
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
	if directive.Mentions(src) {
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
			file.imports[path.Base(importPath)] = spec // the package is missing; the type checker calls it by its last element too
		}
	}
	file.single = takeApart(f.Decls)
	for _, d := range file.single {
		for _, id := range declared(d) {
			s.decls[id.Name] = append(s.decls[id.Name], decl{d, file})
		}
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil {
			base, _ := ReceiverName(fn.Recv)
			s.methods[base] = append(s.methods[base], decl{d, file})
		}
	}
}
