package templates

import (
	"go/token"
	"path"
	"strconv"

	"github.com/dave/jennifer/jen"

	"github.com/dtaskhq/dtask/internal/scan"
)

// names chooses the names that nobody else cares about: those of imports,
// receivers and local variables.
type names struct {
	imports   map[string]string // path → name in the file
	receivers map[string]string // type → parameter of Tasks

	databases map[string]string // type of transaction → parameter of Tasks

	ctx, tx, args, opts string
}

func newNames(pkg *scan.Package, held map[string]string) *names {
	n := &names{
		imports:   chooseImports(pkg, held),
		receivers: make(map[string]string),
		databases: make(map[string]string),
	}

	// A local variable may hide a name of the package, such as ctx, if no
	// generated function mentions that.
	mentioned := n.mentioned(pkg)
	n.ctx = unused("ctx", mentioned)
	n.tx = unused("tx", mentioned)
	n.args = unused("args", mentioned)
	n.opts = unused("opts", mentioned)
	for _, name := range []string{n.ctx, n.tx, n.args, n.opts} {
		mentioned[name] = true
	}
	for _, r := range pkg.Receivers {
		name := unused(scan.Uncapitalize(r.Type), mentioned)
		mentioned[name] = true
		n.receivers[r.Type] = name
	}
	for _, tx := range pkg.Transactions {
		name := unused("db", mentioned)
		mentioned[name] = true
		n.databases[tx.String()] = name
	}
	return n
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
	for _, o := range pkg.OldArgs {
		all = append(all, o.Name)
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
