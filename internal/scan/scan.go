// Package scan finds the tasks of Go packages and judges whether they can be
// tasks: whether their directives are right, and whether their arguments come
// back equal from a message.
//
// What it returns is plain data. Nothing of go/ast or go/types leaves it, so
// that what is generated from it depends on nothing else.
package scan

import (
	"context"
	"fmt"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// Config says where to look.
type Config struct {
	// Dir is the directory in which the patterns are meant.
	Dir string

	// Patterns are package patterns as the go command has them.
	Patterns []string

	// Tags are build tags, separated by commas. If empty, those of GOFLAGS
	// hold.
	Tags string
}

// A Result is what was found.
type Result struct {
	// Packages are the packages with tasks, sorted by path.
	Packages []*Package

	// Stale are the generated files of packages that have no task any more.
	Stale []string

	// Diagnostics are sorted by position. If one of them is no warning,
	// nothing may be generated.
	Diagnostics []*Diagnostic
}

// Failed reports whether a diagnostic forbids to generate.
func (r *Result) Failed() bool {
	return slices.ContainsFunc(r.Diagnostics, func(d *Diagnostic) bool { return !d.Warning })
}

// Scan finds the tasks of the packages that match. The error says what kept it
// from looking at all: a wrong pattern, no module, no go command.
func Scan(ctx context.Context, config Config) (*Result, error) {
	found, err := find(ctx, config)
	if err != nil {
		return nil, err
	}
	s := newScanner()
	found, err = s.findListed(ctx, config, found)
	if err != nil {
		return nil, err
	}
	loaded, err := load(ctx, config, found)
	if err != nil {
		return nil, err
	}
	scanned := make(map[string]*Package)
	for _, c := range found {
		s.excludedDirectives(c)
		scanned[c.path] = &Package{Path: c.path}
		if len(c.hits) > 0 {
			if scanned[c.path], err = s.scanPackage(c, loaded[c.path]); err != nil {
				return nil, err
			}
		}
	}
	s.checkTaskNames(found, scanned)
	s.fillTables(found, scanned)
	return s.result(found, scanned), nil
}

// result sorts out what is to be generated and what is to be removed.
func (s *scanner) result(found []*candidate, scanned map[string]*Package) *Result {
	result := new(Result)
	for _, c := range found {
		p := scanned[c.path]
		switch {
		case c.extra:
		case !p.empty() && c.foreign:
			s.report(token.Position{Filename: c.generatedPath(), Line: 1, Column: 1}, CodeForeignFile,
				"rename the file, as dtaskgen needs its name", "%s is not written by dtaskgen", GeneratedFile)
		case !p.empty():
			result.Packages = append(result.Packages, p)
		case c.generated:
			result.Stale = append(result.Stale, c.generatedPath())
		}
	}
	result.Diagnostics = sorted(s.diags)
	return result
}

// A scanner collects diagnostics, and remembers what it found out about types,
// as tasks share many.
type scanner struct {
	diags  []*Diagnostic
	codecs map[types.Type]codec
	fields map[*types.Struct]structFields
}

func newScanner() *scanner {
	return &scanner{
		codecs: make(map[types.Type]codec),
		fields: make(map[*types.Struct]structFields),
	}
}

// scanPackage returns the tasks of a package.
func (s *scanner) scanPackage(c *candidate, loaded *packages.Package) (*Package, error) {
	if loaded == nil {
		return nil, fmt.Errorf("package %s was found, but not loaded", c.path)
	}
	p := &packageScan{
		scanner:   s,
		candidate: c,
		loaded:    loaded,
		pkg: &Package{
			Path:    c.path,
			Name:    loaded.Name,
			Dir:     c.dir,
			Imports: make(map[string]string),
		},
	}
	if p.syntaxErrors() {
		return p.pkg, nil
	}
	for _, f := range loaded.Syntax {
		for _, m := range p.marks(f) {
			if t := p.task(m); t != nil {
				p.pkg.Tasks = append(p.pkg.Tasks, t)
			}
		}
	}
	slices.SortFunc(p.pkg.Tasks, func(a, b *Task) int { return strings.Compare(a.Names.Task, b.Names.Task) })
	if loaded.Types != nil {
		p.pkg.Scope = loaded.Types.Scope().Names()
	}
	p.collectReceivers()
	p.checkGeneratedNames()
	return p.pkg, nil
}
