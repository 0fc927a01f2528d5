package typecheck

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"

	"github.com/dtaskhq/dtask/internal/directive"
	"github.com/dtaskhq/dtask/internal/generated"
)

// Config says where to look.
type Config struct {
	// Dir is the directory that relative patterns start from.
	Dir string

	// Patterns are package patterns as the go command has them.
	Patterns []string

	// Tags are build tags, separated by commas. If there are none, those of
	// GOFLAGS hold.
	Tags string
}

// A Candidate is a package that mentions directives or has a generated file.
type Candidate struct {
	Path      string // import path
	Module    string // path of its module, or empty
	ModuleDir string // root of its module, or empty
	Dir       string
	Files     []string // files of the package, without the generated one
	Hits      []string // those that mention directives
	Excluded  []string // files beside them that do: tests, and what the build leaves out
	Generated bool     // the generated file exists
	Foreign   bool     // a file of its name exists, and dtaskgen did not write it
}

// GeneratedPath returns the path of the generated file.
func (c *Candidate) GeneratedPath() string { return filepath.Join(c.Dir, generated.File) }

// Find returns the candidates among the packages that match, sorted by path. It
// searches bytes and parses nothing, so that packages without tasks cost little.
func Find(ctx context.Context, config Config) ([]*Candidate, error) {
	pkgs, err := packages.Load(&packages.Config{
		Context:    ctx,
		Dir:        config.Dir,
		Mode:       packages.NeedName | packages.NeedFiles | packages.NeedModule,
		BuildFlags: config.buildFlags(),
	}, config.directories()...)
	if err != nil {
		return nil, loadError(err)
	}
	var found []*Candidate
	for _, p := range pkgs {
		if p.Dir == "" {
			if len(p.Errors) > 0 {
				return nil, loadError(p.Errors[0])
			}
			continue // "unsafe" and the like
		}
		c, err := newCandidate(p)
		if err != nil {
			return nil, err
		}
		if len(c.Hits) > 0 || len(c.Excluded) > 0 || c.Generated {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b *Candidate) int { return strings.Compare(a.Path, b.Path) })
	return found, nil
}

// directories returns the patterns with files replaced by their directories: a
// file stands for its package.
func (config Config) directories() []string {
	var patterns []string
	for _, p := range config.Patterns {
		if strings.HasSuffix(p, ".go") {
			path := p
			if !filepath.IsAbs(p) {
				path = filepath.Join(config.Dir, p)
			}
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				p = filepath.Dir(path)
			}
		}
		patterns = append(patterns, p)
	}
	return patterns
}

func (config Config) buildFlags() []string {
	if config.Tags == "" {
		return nil // a flag would replace the tags of GOFLAGS
	}
	return []string{"-tags=" + config.Tags}
}

func newCandidate(p *packages.Package) (*Candidate, error) {
	c := &Candidate{Path: p.PkgPath, Dir: p.Dir}
	if p.Module != nil {
		c.Module, c.ModuleDir = p.Module.Path, p.Module.Dir
	}
	entries, err := os.ReadDir(p.Dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read package %s: %w", p.PkgPath, err)
	}
	for _, e := range entries {
		path := filepath.Join(p.Dir, e.Name())
		if !strings.HasSuffix(path, ".go") || !isFile(e, path) {
			continue
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("cannot read package %s: %w", p.PkgPath, err)
		}
		c.add(path, src, slices.Contains(p.GoFiles, path))
	}
	return c, nil
}

// add takes a file of the directory into account. Included ones are part of the
// package in this build.
func (c *Candidate) add(path string, src []byte, included bool) {
	if path == c.GeneratedPath() {
		if generated.Is(src) {
			c.Generated = true
			return
		}
		c.Foreign = true
	}
	if included {
		c.Files = append(c.Files, path)
	}
	switch {
	case !directive.Mentions(src):
	case included:
		c.Hits = append(c.Hits, path)
	default:
		c.Excluded = append(c.Excluded, path)
	}
}

// isFile reports whether a directory entry is a file, or a link to one. Editors
// leave links such as .#mail.go, which lead nowhere.
func isFile(e os.DirEntry, path string) bool {
	if e.Type()&os.ModeSymlink == 0 {
		return e.Type().IsRegular()
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
