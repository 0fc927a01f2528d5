package templates

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/dtaskhq/dtask/internal/scan"
)

// Whatever packages there are and whatever a package calls them: the names of a
// generated file stay as they are when it is generated again, and when there is one
// import more. No two imports have one name.
func TestImportNames(t *testing.T) {
	names := []string{"a", "b", "xa", "yb"}
	name := func() string { return names[rand.IntN(len(names))] }
	packageName := make(map[string]string)
	for range 12 {
		packageName[fmt.Sprintf("x.org/%s/%s%d", name(), name(), rand.IntN(3))] = name()
	}
	for range 2000 {
		pkg := &scan.Package{Imports: make(map[string]string), ImportNames: make(map[string][]string), Scope: []string{name()}}
		var held map[string]string
		for p := range packageName {
			if rand.IntN(2) == 0 {
				pkg.ImportNames[p] = []string{name()}
			}
		}
		for p := range packageName {
			pkg.Imports[p] = packageName[p]
			grown := chooseImports(pkg, held)
			for old, name := range held {
				if grown[old] != name {
					t.Fatalf("%s was %s, and is %s\nbefore %v\nafter %v", old, name, grown[old], held, grown)
				}
			}
			if again := chooseImports(pkg, grown); !maps.Equal(again, grown) {
				t.Fatalf("%v\nand again %v", grown, again)
			}
			held = grown
		}
		for p := range packageName { // any that goes may rename others, but once only
			delete(pkg.Imports, p)
			shrunk := chooseImports(pkg, held)
			if again := chooseImports(pkg, shrunk); !maps.Equal(again, shrunk) {
				t.Fatalf("%v\nand again %v", shrunk, again)
			}
			owner := make(map[string]string)
			for p, name := range shrunk {
				if owner[name] != "" || name == pkg.Scope[0] {
					t.Fatalf("%s is the name of %s and %s", name, p, owner[name])
				}
				owner[name] = p
			}
			held = shrunk
		}
	}
}
