// Package typecheck finds and loads the packages that have directives, and
// type-checks the signatures of their annotated functions. Nothing is compiled.
//
// It succeeds where the code does not compile yet. It does not look at the bodies
// of functions, so calls of wrappers that are still to be generated do no harm. It
// takes generated files for empty, so it does not matter what they hold or import.
//
// It is fast, as the go command only lists packages. It type-checks from source,
// and only the declarations that annotated signatures lead to: see reach.go.
package typecheck

import (
	"context"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"strings"

	"golang.org/x/tools/go/packages"

	"github.com/dtaskhq/dtask/internal/generated"
)

// Load loads the candidates that have directives, all at once, and returns them
// by path.
func Load(ctx context.Context, config Config, found []*Candidate) (map[string]*packages.Package, error) {
	overlay := make(map[string][]byte)
	var patterns []string
	for _, c := range found {
		if len(c.Hits) > 0 {
			patterns = append(patterns, "pattern="+c.Path)
		}
		if c.Generated && len(c.Files) > 0 {
			overlay[c.GeneratedPath()] = packageClause(c.Files[0])
		}
	}
	if len(patterns) == 0 {
		return nil, nil
	}
	pkgs, err := list(ctx, config, patterns, overlay)
	if err != nil {
		return nil, err
	}
	if hideCycles(pkgs, overlay) {
		if pkgs, err = list(ctx, config, patterns, overlay); err != nil {
			return nil, err
		}
	}
	Check(pkgs)
	byPath := make(map[string]*packages.Package)
	for _, p := range pkgs {
		byPath[p.PkgPath] = p
	}
	return byPath, nil
}

// list lists packages and all that they depend on.
func list(ctx context.Context, config Config, patterns []string, overlay map[string][]byte) ([]*packages.Package, error) {
	pkgs, err := packages.Load(&packages.Config{
		Context: ctx,
		Dir:     config.Dir,
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports |
			packages.NeedDeps | packages.NeedModule,
		BuildFlags: config.buildFlags(),
		Overlay:    overlay,
	}, patterns...)
	if err != nil {
		return nil, loadError(err)
	}
	return pkgs, nil
}

// hideCycles empties the generated files of packages that match no pattern, if
// there is an import cycle, as they may be its cause. It reports whether there
// were any.
func hideCycles(pkgs []*packages.Package, overlay map[string][]byte) bool {
	cycle := false
	hidden := make(map[string][]byte)
	packages.Visit(pkgs, nil, func(p *packages.Package) {
		for _, e := range p.Errors {
			cycle = cycle || strings.Contains(e.Msg, "import cycle")
		}
		path := filepath.Join(p.Dir, generated.File)
		for _, file := range p.GoFiles {
			if file == path && overlay[file] == nil {
				hidden[file] = []byte("package " + p.Name + "\n")
			}
		}
	})
	if !cycle {
		return false
	}
	maps.Copy(overlay, hidden)
	return len(hidden) > 0
}

// packageClause returns the package clause of a file, as a file of its own. If
// the file has none, what it returns does not matter: the file is reported later.
func packageClause(path string) []byte {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly)
	if err != nil {
		return []byte("package p\n")
	}
	return []byte("package " + f.Name.Name + "\n")
}
