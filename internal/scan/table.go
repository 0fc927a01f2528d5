package scan

import (
	"bytes"
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const tableHint = "write package patterns such as ./... or example.com/shop/..., relative to the directory of the file"

// findListed adds to the candidates the packages that tables among them list.
// Their patterns are meant in the directory of the file.
func (s *scanner) findListed(ctx context.Context, config Config, found []*candidate) ([]*candidate, error) {
	byPath := make(map[string]*candidate)
	for _, c := range found {
		byPath[c.path] = c
	}
	all := found
	for _, c := range found {
		patterns, pos, err := tablePatterns(c)
		if err != nil {
			return nil, err
		}
		if len(patterns) == 0 {
			continue
		}
		listed, err := find(ctx, Config{Dir: c.dir, Patterns: patterns, Tags: config.Tags})
		if err != nil {
			s.report(pos, CodeTable, tableHint, "%v", err)
			c.unlisted = true
			continue
		}
		for _, l := range listed {
			c.listed = append(c.listed, l.path)
			if byPath[l.path] == nil {
				l.extra = true
				byPath[l.path] = l
				all = append(all, l)
			}
		}
	}
	slices.SortFunc(all, func(a, b *candidate) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

// tablePatterns returns the patterns of the tables in a package.
func tablePatterns(c *candidate) (patterns []string, pos token.Position, _ error) {
	for _, path := range c.hits {
		src, err := os.ReadFile(path)
		if err != nil {
			return nil, pos, fmt.Errorf("cannot read package %s: %w", c.path, err)
		}
		if !bytes.Contains(src, []byte("dtask:"+directiveTable)) {
			continue
		}
		fset := token.NewFileSet()
		f, _ := parser.ParseFile(fset, path, src, parser.ParseComments|parser.SkipObjectResolution)
		if f == nil {
			continue // reported when it is loaded
		}
		for _, g := range f.Comments {
			for _, comment := range g.List {
				if d, ok := recognise(comment); ok && d.flaw == "" && d.name == directiveTable {
					patterns = append(patterns, strings.Fields(d.args)...)
					pos = fset.Position(d.argsPos)
				}
			}
		}
	}
	return patterns, pos, nil
}

// table judges the directive of a table.
func (p *packageScan) table(f *ast.File, group *ast.CommentGroup, d directive) {
	onDeclaration := slices.ContainsFunc(f.Decls, func(decl ast.Decl) bool {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			return decl.Doc == group
		case *ast.GenDecl:
			return decl.Doc == group && decl.Tok != token.IMPORT
		}
		return false
	})
	switch {
	case !onDeclaration:
		p.report(p.pos(d.pos), CodeMisplaced, "put it directly above a declaration, such as func main", "dtask:table is on no declaration")
	case p.pkg.Name != "main":
		p.report(p.pos(d.pos), CodeMisplaced, "put it into the package main of the worker", "dtask:table is in package %s", p.pkg.Name)
	case p.pkg.Table != nil:
		p.report(p.pos(d.pos), CodeRepeated, "put all patterns on one line", "dtask:table is repeated; it is on line %d of %s already",
			p.pkg.Table.Pos.Line, filepath.Base(p.pkg.Table.Pos.Filename))
	case d.args == "":
		p.report(p.pos(d.pos), CodeTable, tableHint, "dtask:table lists no packages")
	default:
		p.pkg.Table = &Table{Pos: p.pos(d.argsPos)}
	}
}

// fillTables gives every table its packages, and reports what it cannot list.
func (s *scanner) fillTables(found []*candidate, scanned map[string]*Package) {
	for _, c := range found {
		pkg := scanned[c.path]
		if pkg.Table == nil || c.extra {
			continue
		}
		matched := false
		for _, path := range c.listed {
			if listed := scanned[path]; len(listed.Tasks) > 0 {
				matched = true
				s.list(pkg, listed)
			}
		}
		if !matched && !c.unlisted {
			s.report(pkg.Table.Pos, CodeTable, tableHint, "no package with tasks matches")
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
		s.report(t.Pos, CodeTable, "move the program below it, or narrow the patterns",
			"package %s is internal to others, and cannot be imported here", listed.Path)
		return
	}
	for _, r := range listed.Receivers {
		if !own && !ast.IsExported(r.Type) {
			s.report(t.Pos, CodeTable, "export the type, or narrow the patterns",
				"%s.%s, which has tasks, is unexported, so this program cannot pass one", listed.Path, r.Type)
			return
		}
	}
	t.Entries = append(t.Entries, TableEntry{Path: listed.Path, Receivers: listed.Receivers})
	if !own {
		pkg.Imports[listed.Path] = listed.Name
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
