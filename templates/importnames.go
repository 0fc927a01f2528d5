package templates

import (
	"go/token"
	"go/types"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/dtaskhq/dtask/internal/scan"
)

// chooseImports gives every import of the generated file a name, by its path. The
// first choice is the name that the source files use. It has to be free in the
// whole package, as Go does not let an import have the name of a declaration.
//
// Where the first choices of two packages are equal, held decides: the names in the
// generated file as it is now. So a new import renames none.
func chooseImports(pkg *scan.Package, held map[string]string) map[string]string {
	c := &importChoice{
		taken:      takenNames(pkg),
		candidates: make(map[string][]string),
		chosen:     make(map[string]string),
	}
	// An option of a directive may need any of these tomorrow, so nobody else gets
	// their names.
	for _, fixed := range []string{contextPath, timePath, slicesPath, runtimePath} {
		c.candidates[fixed] = candidates(pkg, fixed, path.Base(fixed), held)
		c.choose(fixed)
	}
	var paths []string
	for _, p := range slices.Sorted(maps.Keys(pkg.Imports)) {
		if c.chosen[p] == "" {
			paths = append(paths, p)
			c.candidates[p] = append(candidates(pkg, p, pkg.Imports[p], held), parentPrefix(p)+pkg.Imports[p])
		}
	}
	c.keep(paths, held)
	for _, p := range paths {
		if c.chosen[p] == "" {
			c.choose(p)
		}
	}
	return c.chosen
}

// An importChoice is under way.
type importChoice struct {
	taken      map[string]bool
	candidates map[string][]string // path → the names it may have, best first
	chosen     map[string]string   // path → name
}

func (c *importChoice) set(importPath, name string) {
	c.chosen[importPath] = name
	c.taken[name] = true
}

// choose gives an import its best candidate that is free, or else a number.
func (c *importChoice) choose(importPath string) {
	candidates := c.candidates[importPath]
	for _, name := range candidates {
		if !c.taken[name] && token.IsIdentifier(name) {
			c.set(importPath, name)
			return
		}
	}
	c.set(importPath, unused(candidates[0], c.taken))
}

// keep lets imports have the names that they have now. An import whose first
// choice is free gets that: then the same choice is made without the old file. As
// it gives up its old name, others may follow.
func (c *importChoice) keep(paths []string, held map[string]string) {
	holder := make(map[string]string) // name → path
	for _, p := range paths {
		if name := held[p]; !c.taken[name] && c.couldHave(p, name) {
			holder[name] = p
		}
	}
	for moved := true; moved; {
		moved = false
		for _, p := range paths {
			first := c.candidates[p][0]
			if name := held[p]; holder[name] == p && name != first && !c.taken[first] && holder[first] == "" {
				delete(holder, name)
				c.set(p, first)
				moved = true
			}
		}
	}
	for name, p := range holder {
		c.set(p, name)
	}
}

// couldHave reports whether choose could have given the import this name.
func (c *importChoice) couldHave(importPath, name string) bool {
	candidates := c.candidates[importPath]
	if slices.Contains(candidates, name) {
		return true
	}
	number, ok := strings.CutPrefix(name, candidates[0])
	n, err := strconv.Atoi(number)
	return ok && err == nil && n > 1 && strconv.Itoa(n) == number
}

// candidates returns the names that an import may well have, best first: the one
// that most source files use, and that of the package. If as many files use one name
// as another, it is the one that is held.
func candidates(pkg *scan.Package, importPath, name string, held map[string]string) []string {
	var list []string
	if used := pkg.ImportNames[importPath]; slices.Contains(used, held[importPath]) {
		list = append(list, held[importPath])
	} else if len(used) > 0 {
		list = append(list, used[0])
	}
	return append(list, name)
}

// parentPrefix returns the second last element of a path as the first part of
// an identifier: core for k8s.io/api/core/v1.
func parentPrefix(importPath string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, path.Base(path.Dir(importPath)))
}

// takenNames returns the names that no import can have.
func takenNames(pkg *scan.Package) map[string]bool {
	taken := map[string]bool{"err": true} // jennifer reserves it
	for _, names := range [][]string{types.Universe.Names(), pkg.Scope, generatedIdentifiers(pkg)} {
		for _, name := range names {
			taken[name] = true
		}
	}
	return taken
}
