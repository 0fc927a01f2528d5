package typecheck

import (
	"go/ast"
	"go/token"
	"runtime"
	"strconv"
	"sync"

	"golang.org/x/tools/go/packages"

	"github.com/dtaskhq/dtask/internal/directive"
)

// A world holds the packages that annotated signatures lead to.
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

// wireMethods are the methods that decide what a type is on the wire.
var wireMethods = map[string]bool{
	"MarshalJSON": true, "UnmarshalJSON": true, "MarshalText": true, "UnmarshalText": true,
	"MarshalJSONTo": true, "UnmarshalJSONFrom": true, "AppendText": true,
	"Error": true, "ProtoReflect": true,
}

// reach parses the packages and marks the declarations that their annotated
// functions lead to, in whatever package: the types in signatures, what these
// consist of, and the methods by which they encode themselves.
//
// It compares names and knows no scopes, so it may keep more than is needed, but
// never less.
func reach(roots []*packages.Package) *world {
	w := &world{fset: token.NewFileSet(), sources: make(map[*packages.Package]*source)}
	w.parseAll(roots)
	for _, p := range roots {
		s := w.source(p)
		for _, f := range s.files {
			for _, d := range f.single {
				if fn, ok := d.(*ast.FuncDecl); ok && directive.Marks(fn) {
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
