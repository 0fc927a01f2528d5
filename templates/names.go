package templates

import (
	"go/token"
	"go/types"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/dtaskhq/dtask/internal/scan"
)

// names chooses the names that nobody else cares about: those of imports,
// receivers and local variables.
type names struct {
	imports   map[string]string // path → name in the file
	receivers map[string]string // type → parameter of Tasks

	ctx, args, opts string
}

func newNames(pkg *scan.Package) *names {
	n := &names{
		imports:   make(map[string]string),
		receivers: make(map[string]string),
	}
	n.chooseImports(pkg)

	// A local variable may hide a name of the package, such as ctx, if no
	// generated function mentions that.
	mentioned := n.mentioned(pkg)
	n.ctx = unused("ctx", mentioned)
	n.args = unused("args", mentioned)
	n.opts = unused("opts", mentioned)
	for _, name := range []string{n.ctx, n.args, n.opts} {
		mentioned[name] = true
	}
	for _, r := range pkg.Receivers {
		name := unused(scan.Uncapitalize(r.Type), mentioned)
		mentioned[name] = true
		n.receivers[r.Type] = name
	}
	return n
}

// chooseImports gives every import a name that is free in the whole package, as
// Go does not let an import have the name of a declaration. The imports that are
// always there come first, and the others follow in the order of their paths.
func (n *names) chooseImports(pkg *scan.Package) {
	taken := make(map[string]bool)
	for _, name := range types.Universe.Names() {
		taken[name] = true
	}
	taken["err"] = true // jennifer reserves it
	for _, name := range pkg.Scope {
		taken[name] = true
	}
	for _, name := range generatedIdentifiers(pkg) {
		taken[name] = true
	}
	choose := func(importPath string, candidates ...string) {
		for _, name := range candidates {
			if !taken[name] && token.IsIdentifier(name) {
				n.imports[importPath] = name
				taken[name] = true
				return
			}
		}
		name := unused(candidates[0], taken)
		n.imports[importPath] = name
		taken[name] = true
	}
	choose(contextPath, "context")
	choose(timePath, "time")
	choose(slicesPath, "slices")
	choose(runtimePath, "dtask")
	for _, p := range slices.Sorted(maps.Keys(pkg.Imports)) {
		if n.imports[p] == "" {
			choose(p, pkg.Imports[p], parentPrefix(p)+pkg.Imports[p])
		}
	}
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

// unused returns name, or else name with the first number that is free.
func unused(name string, taken map[string]bool) string {
	for i, candidate := 2, name; ; i++ {
		if !taken[candidate] && !token.IsKeyword(candidate) {
			return candidate
		}
		candidate = name + strconv.Itoa(i)
	}
}

// generatedIdentifiers returns what the generated file declares.
func generatedIdentifiers(pkg *scan.Package) []string {
	all := []string{scan.TasksFunc, scan.TableFunc}
	for _, t := range pkg.Tasks {
		all = append(all, t.Names.Args, t.Names.Task, t.Names.Delay)
	}
	return all
}

// mentioned returns every name that generated functions refer to.
func (n *names) mentioned(pkg *scan.Package) map[string]bool {
	m := map[string]bool{"error": true, "nil": true}
	for _, name := range n.imports {
		m[name] = true
	}
	for _, name := range generatedIdentifiers(pkg) {
		m[name] = true
	}
	for _, t := range pkg.Tasks {
		if t.Receiver == nil {
			m[t.Func] = true
		}
		for _, w := range t.Result {
			for _, id := range w.Identifiers() {
				m[id] = true
			}
		}
	}
	return m
}

// declareImports tells jennifer the names. It writes the imports that are used.
func (n *names) declareImports(f *jen.File) {
	for importPath, name := range n.imports {
		if path.Base(importPath) == name {
			f.ImportName(importPath, name)
		} else {
			f.ImportAlias(importPath, name)
		}
	}
}
