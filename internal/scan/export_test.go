package scan

import (
	"golang.org/x/tools/go/packages"
)

// ScanPackage scans a package that the go command has listed, with all it
// depends on.
func ScanPackage(listed *packages.Package) *Result {
	s := newScanner()
	typeCheck([]*packages.Package{listed})
	c := &candidate{path: listed.PkgPath, module: "example.com", listed: []string{listed.PkgPath}}
	p, err := s.scanPackage(c, listed)
	if err != nil {
		panic(err)
	}
	scanned := map[string]*Package{c.path: p}
	s.checkTaskNames([]*candidate{c}, scanned)
	s.fillTables([]*candidate{c}, scanned)
	return s.result([]*candidate{c}, scanned)
}
