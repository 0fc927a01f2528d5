// Package scan finds the tasks of Go packages and judges whether they can be
// tasks: whether their directives are right, and whether their arguments come
// back equal from a message.
//
// It joins what others find out: package directive reads the directives, package
// typecheck loads the types, and package jsonwire judges them.
//
// It returns plain data, and nothing of go/ast or go/types, so that what is
// generated depends on that data alone.
package scan

import (
	"context"
	"go/token"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/internal/diagnostic"
	"github.com/dtaskhq/dtask/internal/directive"
	"github.com/dtaskhq/dtask/internal/generated"
	"github.com/dtaskhq/dtask/internal/jsonwire"
	"github.com/dtaskhq/dtask/internal/typecheck"
)

// Config says where to look.
type Config = typecheck.Config

// A Result is what was found.
type Result struct {
	// Packages are the packages with tasks, sorted by path.
	Packages []*Package

	// Stale are the generated files of packages that have no task any more.
	Stale []string

	// StaleModules are the roots of the modules that Stale are in.
	StaleModules []string

	// Retired are the tasks that are no more, as the packages say.
	Retired []Retired

	// Excluded are the names of tasks in files that the build leaves out.
	Excluded []string

	// Diagnostics are sorted by position. If one of them is not a warning,
	// nothing may be generated.
	Diagnostics []*diagnostic.Diagnostic
}

// Failed reports whether a diagnostic forbids generating.
func (r *Result) Failed() bool {
	return slices.ContainsFunc(r.Diagnostics, func(d *diagnostic.Diagnostic) bool { return !d.Warning })
}

// Scan finds the tasks of the packages that match. The error says why it could
// not look at all: a wrong pattern, no module, no go command.
func Scan(ctx context.Context, config Config) (*Result, error) {
	found, err := typecheck.Find(ctx, config)
	if err != nil {
		return nil, err
	}
	s := newScanner()
	candidates := s.addListed(ctx, config, found)
	loaded, err := typecheck.Load(ctx, config, unwrap(candidates))
	if err != nil {
		return nil, err
	}
	for _, c := range candidates {
		s.excludedDirectives(c)
		c.pkg = &Package{Path: c.Path}
		if len(c.Hits) > 0 {
			if c.pkg, err = s.scanPackage(c, loaded[c.Path]); err != nil {
				return nil, err
			}
		}
	}
	return s.finish(candidates), nil
}

// A candidate is a package that may have tasks.
type candidate struct {
	*typecheck.Candidate
	pkg *Package // what was found in it

	listed   []string // paths of the packages that its table lists
	unlisted bool     // that could not be found out, which is reported
	extra    bool     // a table lists the package, and no pattern of the run matches it
}

func unwrap(candidates []*candidate) []*typecheck.Candidate {
	var list []*typecheck.Candidate
	for _, c := range candidates {
		list = append(list, c.Candidate)
	}
	return list
}

// A scanner is one run.
type scanner struct {
	diagnostic.List
	encoding *jsonwire.Encoding
	excluded []string // names of tasks in files that the build leaves out
}

func newScanner() *scanner { return &scanner{encoding: jsonwire.NewEncoding()} }

// finish judges what concerns several packages, and sorts out what is to be
// generated and what is to be removed.
func (s *scanner) finish(candidates []*candidate) *Result {
	s.checkTaskNames(candidates)
	s.fillTables(candidates)
	result := &Result{Excluded: s.excluded}
	for _, c := range candidates {
		result.Retired = append(result.Retired, c.pkg.Retired...)
		switch {
		case c.extra:
		case c.Foreign && len(c.Hits) > 0:
			s.Report(token.Position{Filename: c.GeneratedPath(), Line: 1, Column: 1}, diagnostic.ForeignFile,
				"rename the file, as dtaskgen needs its name", "%s is not written by dtaskgen", generated.File)
		case !c.pkg.empty():
			result.Packages = append(result.Packages, c.pkg)
		case c.Generated:
			result.Stale = append(result.Stale, c.GeneratedPath())
			if c.ModuleDir != "" {
				result.StaleModules = append(result.StaleModules, c.ModuleDir)
			}
		}
	}
	result.Diagnostics = s.Sorted()
	return result
}

// excludedDirectives reports the directives in files that are not part of the
// package, as they have no effect.
func (s *scanner) excludedDirectives(c *candidate) {
	for _, path := range c.Excluded {
		if !strings.HasSuffix(path, "_test.go") {
			functions, pinned := directive.PeekTasks(path)
			s.excluded = append(s.excluded, pinned...)
			for _, f := range functions {
				s.excluded = append(s.excluded, qualifiedName(c.Path, c.Module, f))
			}
		}
		fset := token.NewFileSet()
		for _, d := range directive.Peek(fset, path) {
			if strings.HasSuffix(path, "_test.go") {
				s.Report(fset.Position(d.Pos), diagnostic.TestFile, "move the function to a file that is not a test",
					"dtask:%s has no effect in a test file", d.Name)
			} else {
				s.Warn(fset.Position(d.Pos), diagnostic.ExcludedFile, "choose build tags with -tags, or move the function to a file of every build",
					"dtask:%s is ignored: the build excludes this file", d.Name)
			}
		}
	}
}
