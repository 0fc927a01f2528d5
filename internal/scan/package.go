package scan

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"

	"github.com/dtaskhq/dtask/internal/diagnostic"
	"github.com/dtaskhq/dtask/internal/directive"
	"github.com/dtaskhq/dtask/internal/jsonwire"
	"github.com/dtaskhq/dtask/internal/typecheck"
)

// A packageScan is the scan of one package.
type packageScan struct {
	diagnostic.Reporter
	candidate *candidate
	loaded    *packages.Package
	judge     *jsonwire.Judge
	pkg       *Package // what is found
}

func (p *packageScan) pos(pos token.Pos) token.Position { return p.Fset.Position(pos) }

func (p *packageScan) scope() *types.Scope { return p.loaded.Types.Scope() }

func (p *packageScan) typeString(t types.Type) string { return typecheck.TypeString(p.loaded.Types, t) }

// scanPackage returns the tasks of a package.
func (s *scanner) scanPackage(c *candidate, loaded *packages.Package) (*Package, error) {
	if loaded == nil {
		return nil, fmt.Errorf("package %s was found, but not loaded", c.Path)
	}
	p := &packageScan{
		Reporter:  diagnostic.Reporter{List: &s.List, Fset: loaded.Fset},
		candidate: c,
		loaded:    loaded,
		judge:     s.encoding.Judge(loaded.Types, c.Module),
		pkg: &Package{
			Path: c.Path,
			Name: loaded.Name,
			Dir:  c.Dir,

			Module:    c.Module,
			ModuleDir: c.ModuleDir,
			Imports:   make(map[string]string),
		},
	}
	if p.syntaxErrors() {
		return p.pkg, nil
	}
	marked := make(map[*ast.File]bool)
	for _, f := range loaded.Syntax {
		file := directive.Read(p.Reporter, f)
		marked[f] = len(file.Functions)+len(file.Main) > 0
		for _, fn := range file.Functions {
			if _, ok := fn.Directives[directive.Upcast]; ok {
				p.upcaster(fn)
			} else if t := p.task(fn); t != nil {
				p.pkg.Tasks = append(p.pkg.Tasks, t)
			}
		}
		for _, d := range file.Package {
			p.retired(d)
		}
		for _, d := range file.Main {
			p.table(d)
		}
	}
	p.countImportNames(func(f *ast.File) bool { return marked[f] })
	slices.SortFunc(p.pkg.Tasks, func(a, b *Task) int { return strings.Compare(a.Names.Task, b.Names.Task) })
	p.pkg.Scope = p.scope().Names()
	p.collectReceivers()
	p.collectTransactions()
	p.checkGeneratedNames()
	p.pkg.Opaque = p.opaqueVersions()
	return p.pkg, nil
}

// syntaxErrors reports the errors of a package that does not parse, or has files
// of several packages. A foreign file in place of the generated one is reported
// as such, whatever is in it.
func (p *packageScan) syntaxErrors() bool {
	failures := p.Len()
	foreign := false
	for _, e := range typecheck.ParseErrors(p.loaded) {
		if p.candidate.Foreign && e.Pos.Filename == p.candidate.GeneratedPath() {
			foreign = true
			continue
		}
		p.Report(e.Pos, diagnostic.Syntax, "", "%s", e.Text)
	}
	if foreign || p.Len() > failures {
		return true
	}
	for _, f := range p.loaded.Syntax {
		if f.Name.Name != p.pkg.Name {
			if p.candidate.Foreign {
				return true
			}
			p.ReportAt(f.Name.Pos(), diagnostic.Syntax, "rename it, or move the file to a directory of its own",
				"package %s is in the directory of package %s", f.Name.Name, p.pkg.Name)
		}
	}
	return p.Len() > failures
}

// collectReceivers lists the types of the package's methods among the tasks.
func (p *packageScan) collectReceivers() {
	byType := make(map[string]*Receiver)
	for _, t := range p.pkg.Tasks {
		if t.Receiver == nil {
			continue
		}
		r := byType[t.Receiver.Type]
		if r == nil {
			r = &Receiver{Type: t.Receiver.Type}
			byType[r.Type] = r
			p.pkg.Receivers = append(p.pkg.Receivers, r)
		}
		r.Pointer = r.Pointer || t.Receiver.Pointer
		t.Receiver = r
	}
	slices.SortFunc(p.pkg.Receivers, func(a, b *Receiver) int { return strings.Compare(a.Type, b.Type) })
}
