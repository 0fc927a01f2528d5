package scan

import (
	"golang.org/x/tools/go/packages"

	"github.com/dtaskhq/dtask/internal/typecheck"
)

// ScanPackage scans a package that the go command has listed, with all it
// depends on.
func ScanPackage(listed *packages.Package) *Result {
	s := newScanner()
	typecheck.Check([]*packages.Package{listed})
	c := &candidate{
		Candidate: &typecheck.Candidate{Path: listed.PkgPath, Module: "example.com"},
		listed:    []string{listed.PkgPath},
	}
	pkg, err := s.scanPackage(c, listed)
	if err != nil {
		panic(err)
	}
	c.pkg = pkg
	return s.finish([]*candidate{c})
}
