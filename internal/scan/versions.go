package scan

import (
	"golang.org/x/tools/go/packages"

	"github.com/dtaskhq/dtask/internal/schema"
)

// opaqueVersions returns the versions of the modules of the opaque types that messages
// of a package have, by the names of the types. What is of the same module, of the
// standard library, or has no version, is left out.
func (p *packageScan) opaqueVersions() map[string]string {
	missing := make(map[string][]string) // types by their packages
	for _, t := range p.pkg.Tasks {
		for _, s := range []*schema.Schema{t.Args, t.Returns} {
			if s == nil {
				continue
			}
			for _, name := range s.Opaque() {
				path := schema.PackageOf(name)
				missing[path] = append(missing[path], name)
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	versions := make(map[string]string)
	packages.Visit([]*packages.Package{p.loaded}, func(q *packages.Package) bool {
		if m := q.Module; m != nil && m.Path != p.candidate.Module {
			if m.Replace != nil && m.Replace.Version != "" {
				m = m.Replace
			}
			for _, name := range missing[q.PkgPath] {
				if m.Version != "" {
					versions[name] = m.Version
				}
			}
		}
		return true
	}, nil)
	return versions
}
