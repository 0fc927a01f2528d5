package scan

import (
	"go/ast"
	"maps"
	"slices"
	"strconv"
)

// An importTally counts the names that files give to the packages they import:
// path → name → number of files.
type importTally map[string]map[string]int

// add counts the imports of a file. A blank import gives no name, and neither does
// one with a dot.
func (t importTally) add(p *packageScan, f *ast.File) {
	for _, spec := range f.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		var name string
		switch imported := p.loaded.Imports[path]; {
		case spec.Name != nil:
			name = spec.Name.Name
		case imported != nil:
			name = imported.Name
		}
		if name == "" || name == "_" || name == "." {
			continue
		}
		if t[path] == nil {
			t[path] = make(map[string]int)
		}
		t[path][name]++
	}
}

// commonest returns the names that most files give to each package.
func (t importTally) commonest() map[string][]string {
	all := make(map[string][]string)
	for path, count := range t {
		most := slices.Max(slices.Collect(maps.Values(count)))
		maps.DeleteFunc(count, func(_ string, n int) bool { return n < most })
		all[path] = slices.Sorted(maps.Keys(count))
	}
	return all
}

// countImportNames counts the names of imports in the files of the package. Those
// in files with directives count alone, where there are any: a task's types should
// have the same names in its generated code as beside the task.
func (p *packageScan) countImportNames(marked func(*ast.File) bool) {
	tally, others := make(importTally), make(importTally)
	for _, f := range p.loaded.Syntax {
		if marked(f) {
			tally.add(p, f)
		} else {
			others.add(p, f)
		}
	}
	for path, count := range others {
		if tally[path] == nil {
			tally[path] = count
		}
	}
	p.pkg.ImportNames = tally.commonest()
}
