package scan

import (
	"bytes"
	"context"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/internal/diagnostic"
	"github.com/dtaskhq/dtask/internal/directive"
	"github.com/dtaskhq/dtask/internal/typecheck"
)

const tableHint = "write package patterns such as ./... or example.com/shop/..., relative to the directory of the file"

// addListed adds to what was found the packages that tables in it list.
func (s *scanner) addListed(ctx context.Context, config Config, found []*typecheck.Candidate) []*candidate {
	var all []*candidate
	known := make(map[string]bool)
	for _, c := range found {
		all = append(all, &candidate{Candidate: c})
		known[c.Path] = true
	}
	for _, c := range slices.Clone(all) {
		patterns, pos := tablePatterns(c)
		if len(patterns) == 0 {
			continue
		}
		listed, err := typecheck.Find(ctx, Config{Dir: c.Dir, Patterns: patterns, Tags: config.Tags})
		if err != nil {
			s.Report(pos, diagnostic.Table, tableHint, "%v", err)
			c.unlisted = true
			continue
		}
		for _, l := range listed {
			c.listed = append(c.listed, l.Path)
			if !known[l.Path] {
				known[l.Path] = true
				all = append(all, &candidate{Candidate: l, extra: true})
			}
		}
	}
	slices.SortFunc(all, func(a, b *candidate) int { return strings.Compare(a.Path, b.Path) })
	return all
}

// tablePatterns returns the patterns of the tables in a package, before it is
// loaded. They are relative to the directory of the package.
func tablePatterns(c *candidate) (patterns []string, pos token.Position) {
	for _, path := range c.Hits {
		src, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(src, []byte("dtask:"+directive.Table)) {
			continue // an error is reported when the package is loaded
		}
		fset := token.NewFileSet()
		for _, d := range directive.Peek(fset, path) {
			if d.Name == directive.Table && d.WellFormed() {
				patterns = append(patterns, strings.Fields(d.Args)...)
				pos = fset.Position(d.ArgsPos)
			}
		}
	}
	return patterns, pos
}

// table judges the directive of a table. Its patterns are looked up already.
func (p *packageScan) table(d directive.Directive) {
	switch {
	case p.pkg.Table != nil:
		p.ReportAt(d.Pos, diagnostic.Repeated, "put all patterns on one line", "dtask:table is repeated; it is on line %d of %s already",
			p.pkg.Table.Pos.Line, filepath.Base(p.pkg.Table.Pos.Filename))
	case d.Args == "":
		p.ReportAt(d.Pos, diagnostic.Table, tableHint, "dtask:table lists no packages")
	default:
		p.pkg.Table = &Table{Pos: p.pos(d.ArgsPos)}
	}
}

// fillTables gives every table its packages, and reports what it cannot list.
func (s *scanner) fillTables(candidates []*candidate) {
	byPath := make(map[string]*Package)
	for _, c := range candidates {
		byPath[c.Path] = c.pkg
	}
	for _, c := range candidates {
		pkg := c.pkg
		if pkg.Table == nil || c.extra {
			continue
		}
		matched := false
		for _, path := range c.listed {
			if listed := byPath[path]; len(listed.Tasks) > 0 {
				matched = true
				s.list(pkg, listed)
			}
		}
		if !matched && !c.unlisted {
			s.Report(pkg.Table.Pos, diagnostic.Table, tableHint, "no package with tasks matches")
		}
	}
}

// list adds a package to the table of pkg.
func (s *scanner) list(pkg, listed *Package) {
	t := pkg.Table
	own := listed.Path == pkg.Path
	switch {
	case !own && listed.Name == "main":
		return // another program, whose tasks are its own
	case !own && !importable(pkg.Path, listed.Path):
		s.Report(t.Pos, diagnostic.Table, "move the program below it, or narrow the patterns",
			"package %s is internal to others, and cannot be imported here", listed.Path)
		return
	}
	for _, r := range listed.Receivers {
		if !own && !ast.IsExported(r.Type) {
			s.Report(t.Pos, diagnostic.Table, "export the type, or narrow the patterns",
				"%s.%s, which has tasks, is unexported, so this program cannot pass one", listed.Path, r.Type)
			return
		}
	}
	t.Entries = append(t.Entries, TableEntry{Path: listed.Path, Receivers: listed.Receivers, Transactions: listed.Transactions})
	if own {
		return
	}
	pkg.Imports[listed.Path] = listed.Name
	for _, tx := range listed.Transactions {
		for _, w := range tx {
			if w.Pkg != "" {
				pkg.Imports[w.Pkg] = listed.Imports[w.Pkg]
			}
		}
	}
}

// importable reports whether the rule of internal packages lets one package
// import another (https://pkg.go.dev/cmd/go#hdr-Internal_Directories).
func importable(from, path string) bool {
	i := strings.LastIndex("/"+path+"/", "/internal/")
	if i < 0 {
		return true
	}
	parent := strings.TrimSuffix(path[:i], "/")
	return parent == "" || from == parent || strings.HasPrefix(from, parent+"/")
}
