package scan

import (
	"go/ast"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/packages"
)

// ScanFile scans a package of one file that is in memory.
func ScanFile(fset *token.FileSet, f *ast.File, pkg *types.Package, errs []types.Error) *Result {
	s := newScanner()
	c := &candidate{path: pkg.Path(), module: "example.com"}
	p, err := s.scanPackage(c, &packages.Package{
		PkgPath:    pkg.Path(),
		Name:       f.Name.Name,
		Fset:       fset,
		Syntax:     []*ast.File{f},
		Types:      pkg,
		TypeErrors: errs,
	})
	if err != nil {
		panic(err)
	}
	c.listed = []string{c.path}
	scanned := map[string]*Package{c.path: p}
	s.checkTaskNames([]*candidate{c}, scanned)
	s.fillTables([]*candidate{c}, scanned)
	return s.result([]*candidate{c}, scanned)
}

// ParseSignatures is how files are parsed.
var ParseSignatures = parseSignatures
