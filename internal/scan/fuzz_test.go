package scan_test

import (
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/go/packages"
	"golang.org/x/tools/txtar"

	"github.com/dtaskhq/dtask/internal/scan"
	"github.com/dtaskhq/dtask/templates"
)

// known are packages that the source may import, listed once.
var known = sync.OnceValue(func() []*packages.Package {
	pkgs, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedDeps,
	}, "context", "database/sql", "encoding/json", "errors", "fmt", "io", "math/big", "net", "net/http", "net/netip",
		"net/url", "os", "sync", "time", "github.com/dtaskhq/dtask/runtime/dtask")
	if err != nil {
		panic(err)
	}
	return pkgs
})

// list returns the package of a file that imports what is known.
func list(file string) *packages.Package {
	p := &packages.Package{PkgPath: "example.com/p", GoFiles: []string{file}, Imports: make(map[string]*packages.Package)}
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err == nil {
		p.Name = f.Name.Name
	}
	// Type-checking changes a package, so each input gets a copy.
	copies := make(map[*packages.Package]*packages.Package)
	var copied func(p *packages.Package) *packages.Package
	copied = func(p *packages.Package) *packages.Package {
		if c := copies[p]; c != nil {
			return c
		}
		c := &packages.Package{PkgPath: p.PkgPath, Name: p.Name, GoFiles: p.GoFiles, Imports: make(map[string]*packages.Package)}
		copies[p] = c
		for path, imported := range p.Imports {
			c.Imports[path] = copied(imported)
		}
		return c
	}
	for _, k := range known() {
		p.Imports[k.PkgPath] = copied(k)
	}
	return p
}

// compile type-checks a package in full.
var (
	compiling sync.Mutex // the importer is not made for concurrent use
	fromFiles = importer.ForCompiler(token.NewFileSet(), "source", nil)
)

func compile(fset *token.FileSet, files ...*ast.File) (first error) {
	compiling.Lock()
	defer compiling.Unlock()
	config := types.Config{Importer: fromFiles, FakeImportC: true}
	_, err := config.Check("example.com/p", fset, files, nil)
	return err
}

// FuzzScan feeds the scanner any source. It must not panic, and what it
// accepts of a package without errors must compile once it is generated.
func FuzzScan(f *testing.F) {
	cases, err := filepath.Glob("../../testdata/*.txtar")
	if err != nil || len(cases) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, c := range cases {
		a, err := txtar.ParseFile(c)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			if strings.HasSuffix(file.Name, ".go") && !strings.HasPrefix(file.Name, "want/") {
				f.Add(file.Data)
			}
		}
	}
	// An input has ten seconds, so this is done before.
	known()
	if _, err := fromFiles.Import("github.com/dtaskhq/dtask/runtime/dtask"); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<14 {
			return // it would take too long
		}
		path := filepath.Join(t.TempDir(), "p.go")
		if err := os.WriteFile(path, src, 0o666); err != nil {
			t.Fatal(err)
		}
		result := scan.ScanPackage(list(path))
		for _, d := range result.Diagnostics {
			if d.Message == "" || d.Code == "" || strings.Contains(d.Message+d.Hint, "%!(EXTRA") || strings.Contains(d.Message+d.Hint, "(MISSING)") {
				t.Errorf("diagnostic %+v", d)
			}
		}
		if result.Failed() {
			return
		}
		for _, p := range result.Packages {
			generated, err := templates.Render(p, nil)
			if err != nil {
				t.Fatalf("%v\n%s", err, src)
			}
			fset := token.NewFileSet()
			first, err1 := parser.ParseFile(fset, "p.go", src, parser.SkipObjectResolution)
			second, err2 := parser.ParseFile(fset, "dtask_gen.go", generated, parser.SkipObjectResolution)
			if err := errors.Join(err1, err2); err != nil {
				t.Fatalf("%v\n%s", err, generated)
			}
			if foreign(first) || compile(fset, first) != nil {
				continue // the user's own errors
			}
			if err := compile(fset, first, second); err != nil {
				t.Errorf("%v\n%s\n%s", err, src, generated)
			}
		}
	})
}

// foreign reports whether a file imports what the tests do not.
func foreign(f *ast.File) bool {
	return slices.ContainsFunc(f.Imports, func(s *ast.ImportSpec) bool {
		path, _ := strconv.Unquote(s.Path.Value)
		return path != "unsafe" && !slices.ContainsFunc(known(), func(p *packages.Package) bool { return p.PkgPath == path })
	})
}
