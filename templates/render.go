// Package templates writes the Go source that dtaskgen generates.
//
// Each kind of declaration has an emitter in a file of its own. The comment of the
// emitter shows what it writes. Emitters judge nothing, as package scan has judged
// the tasks before. What they wrote is read back in readback.go.
package templates

import (
	"bytes"
	"fmt"
	"strings"

	. "github.com/dave/jennifer/jen"

	"github.com/dtaskhq/dtask/internal/generated"
	"github.com/dtaskhq/dtask/internal/scan"
)

const (
	runtimePath = "github.com/dtaskhq/dtask/runtime/dtask"
	contextPath = "context"
	timePath    = "time"
	slicesPath  = "slices"
	jsonPath    = scan.RawJSON
)

// Render returns the generated file of a package. The same package gives the same
// bytes, except that imports whose names collide keep those that they have in old,
// the file as it is now. It may be nil.
func Render(pkg *scan.Package, old []byte) ([]byte, error) {
	f := NewFilePathName(pkg.Path, pkg.Name)
	f.HeaderComment(generated.Header)
	w := &writer{pkg: pkg, names: newNames(pkg, importNames(old))}
	w.names.declareImports(f)

	for _, t := range pkg.Tasks {
		if !t.OwnArgs {
			f.Add(w.argsStruct(t)).Line()
		}
		for _, o := range pkg.OldArgs {
			if o.Task == t {
				f.Add(w.oldArgs(o))
			}
		}
		f.Add(w.definition(t)).Line()
		f.Add(w.delayFunc(t)).Line()
	}
	if len(pkg.Tasks) > 0 {
		f.Add(w.tasksFunc()).Line()
	}
	if pkg.Table != nil {
		f.Add(w.programFunc()).Line()
	}
	f.Add(w.assertion())

	var out bytes.Buffer
	if err := f.Render(&out); err != nil {
		message, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("generated code of %s is not valid Go; please report this: %s", pkg.Path, message)
	}
	return groupImports(out.Bytes()), nil
}

// A writer emits the declarations of one package.
type writer struct {
	pkg   *scan.Package
	names *names
}
