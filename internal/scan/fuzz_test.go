package scan_test

import (
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/dtaskhq/dtask/internal/scan"
	"github.com/dtaskhq/dtask/templates"
)

// packagesOf imports from source, and remembers. Go's own is not made for
// concurrent use.
type packagesOf struct {
	sync.Mutex
	from types.Importer
}

func (p *packagesOf) Import(path string) (*types.Package, error) {
	p.Lock()
	defer p.Unlock()
	if strings.Contains(path, ".") && path != "github.com/dtaskhq/dtask/runtime" {
		return nil, errors.New("not imported in tests")
	}
	return p.from.Import(path)
}

var imports = &packagesOf{from: importer.ForCompiler(token.NewFileSet(), "source", nil)}

// check type-checks a package.
func check(fset *token.FileSet, files ...*ast.File) (pkg *types.Package, errs []types.Error) {
	config := types.Config{
		Importer:    imports,
		FakeImportC: true,
		Error:       func(err error) { errs = append(errs, err.(types.Error)) },
	}
	pkg, _ = config.Check("example.com/p", fset, files, nil)
	return pkg, errs
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
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<14 {
			t.Skip("large")
		}
		fset := token.NewFileSet()
		file, err := scan.ParseSignatures(fset, "p.go", src)
		if file == nil || file.Name == nil || err != nil {
			t.Skip("no Go")
		}
		pkg, errs := check(fset, file)
		result := scan.ScanFile(fset, file, pkg, errs)
		for _, d := range result.Diagnostics {
			if d.Message == "" || d.Code == "" || strings.Contains(d.Message+d.Hint, "%!(EXTRA") || strings.Contains(d.Message+d.Hint, "(MISSING)") {
				t.Errorf("diagnostic %+v", d)
			}
		}
		if result.Failed() {
			return
		}
		for _, p := range result.Packages {
			generated, err := templates.Render(p)
			if err != nil {
				t.Fatalf("%v\n%s", err, src)
			}
			second, err := parser.ParseFile(fset, "dtask_gen.go", generated, parser.SkipObjectResolution)
			if err != nil {
				t.Fatalf("%v\n%s", err, generated)
			}
			if len(errs) > 0 {
				continue // the user's own
			}
			if _, errs := check(fset, file, second); len(errs) > 0 {
				t.Errorf("%v\n%s\n%s", errs[0], src, generated)
			}
		}
	})
}
