package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/packages"
)

// A candidate is a package that matches the patterns and mentions directives
// or has a generated file.
type candidate struct {
	path      string // import path
	module    string // path of its module, or empty
	dir       string
	files     []string // files of the package, without the generated one
	hits      []string // those that mention directives
	excluded  []string // files beside it that do: tests, and what the build leaves out
	generated bool     // the generated file exists
	foreign   bool     // a file of its name exists that dtaskgen did not write

	// A table of the package lists these packages, by path.
	listed []string
	// What the table lists could not be found, which is reported.
	unlisted bool
	// The package matches no pattern of the run, but is listed.
	extra bool
}

func (c *candidate) generatedPath() string { return filepath.Join(c.dir, GeneratedFile) }

// find lists the candidates, sorted by path. It looks at bytes only: packages
// without tasks cost no more than reading them.
func find(ctx context.Context, config Config) ([]*candidate, error) {
	pkgs, err := packages.Load(&packages.Config{
		Context:    ctx,
		Dir:        config.Dir,
		Mode:       packages.NeedName | packages.NeedFiles | packages.NeedModule,
		BuildFlags: buildFlags(config),
	}, directories(config)...)
	if err != nil {
		return nil, loadError(err)
	}
	var found []*candidate
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
		if len(c.hits) > 0 || len(c.excluded) > 0 || c.generated {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b *candidate) int { return strings.Compare(a.path, b.path) })
	return found, nil
}

// directories returns the patterns with files replaced by their directories, so
// that a file stands for its package.
func directories(config Config) []string {
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

func buildFlags(config Config) []string {
	if config.Tags == "" {
		return nil // a flag would replace the tags of GOFLAGS
	}
	return []string{"-tags=" + config.Tags}
}

// loadError turns an error of the go command into one line.
func loadError(err error) error {
	text := err.Error()
	var pe packages.Error
	if errors.As(err, &pe) {
		text = pe.Msg
	}
	text = strings.TrimPrefix(text, "err: exit status 1: stderr: ")
	text = oneLine(text)
	switch {
	case strings.Contains(text, "modules listed in go.work"):
		text += "; to look at all of them, run dtaskgen work"
	case strings.Contains(text, "does not contain main module"):
		text += "; run dtaskgen inside a module"
	}
	return fmt.Errorf("cannot load packages: %s", text)
}

// oneLine returns the first line of what the go command says, with the command
// that it may recommend in the next.
func oneLine(text string) string {
	text = strings.Replace(strings.TrimSpace(text), "to add it:\n\t", "to add it: ", 1)
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func newCandidate(p *packages.Package) (*candidate, error) {
	c := &candidate{path: p.PkgPath, dir: p.Dir}
	if p.Module != nil {
		c.module = p.Module.Path
	}
	entries, err := os.ReadDir(p.Dir)
	if err != nil {
		return nil, fmt.Errorf("cannot read package %s: %w", p.PkgPath, err)
	}
	for _, e := range entries {
		name := e.Name()
		path := filepath.Join(p.Dir, name)
		if !strings.HasSuffix(name, ".go") || !isFile(e, path) {
			continue
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("cannot read package %s: %w", p.PkgPath, err)
		}
		included := slices.Contains(p.GoFiles, path)
		switch {
		case name == GeneratedFile && isGenerated(src):
			c.generated = true
			continue
		case name == GeneratedFile:
			c.foreign = true
		}
		if included {
			c.files = append(c.files, path)
		}
		switch {
		case !mentionsDirective(src):
		case included:
			c.hits = append(c.hits, path)
		default:
			c.excluded = append(c.excluded, path)
		}
	}
	return c, nil
}

// isFile reports whether a directory entry is a file, or leads to one. Editors
// leave links such as .#mail.go, which lead nowhere.
func isFile(e os.DirEntry, path string) bool {
	if e.Type()&os.ModeSymlink == 0 {
		return e.Type().IsRegular()
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// mentionsDirective reports whether src may hold a directive, or what was
// meant as one.
func mentionsDirective(src []byte) bool {
	for _, k := range []byte("kK") { // the rarest of the letters
		for i := 0; ; i++ {
			next := bytes.IndexByte(src[i:], k)
			if next < 0 {
				break
			}
			i += next
			start := i + 1 - len(tool)
			if start < 0 || !bytes.EqualFold(src[start:i], []byte(tool[:len(tool)-1])) {
				continue
			}
			line, _, _ := bytes.Cut(src[start:], []byte("\n"))
			if bytes.HasPrefix(line[len(tool):], []byte(":")) || misspelt(string(bytes.TrimRight(line, "*/ \t\r"))).name != "" {
				return true
			}
		}
	}
	return false
}

// excludedDirectives reports the directives in files that are not part of the
// package: they would have no effect.
func (s *scanner) excludedDirectives(c *candidate) {
	for _, path := range c.excluded {
		fset := token.NewFileSet()
		f, _ := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if f == nil {
			continue
		}
		for _, g := range f.Comments {
			for _, comment := range g.List {
				d, ok := recognise(comment)
				if !ok || d.doubt {
					continue
				}
				pos := fset.Position(d.pos)
				if strings.HasSuffix(path, "_test.go") {
					s.report(pos, CodeTestFile, "move the function to a file that is not a test",
						"dtask:%s has no effect in a test file", d.name)
				} else {
					s.warn(pos, CodeExcludedFile, "choose build tags with -tags, or move the function to a file of every build",
						"dtask:%s is ignored: the build excludes this file", d.name)
				}
			}
		}
	}
}
