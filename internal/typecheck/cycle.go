package typecheck

import (
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/packages"

	"github.com/dtaskhq/dtask/internal/diagnostic"
)

// InstantiationCycle returns what the type checker says if t leads to a generic
// type that contains ever new instances of itself, such as
//
//	type Grow[T any] struct{ *Grow[[]T] }
//
// It returns nil if there is none. Package go/types refuses such a type, but
// looking up its methods never ends.
//
// Of several cycles in a package the type checker reports only one. So the
// generic types of a package with a cycle are all taken for part of one.
func InstantiationCycle(p *packages.Package, t types.Type) []diagnostic.Step {
	cycles := make(map[string]diagnostic.Step) // by the path of the package
	packages.Visit([]*packages.Package{p}, nil, func(p *packages.Package) {
		for _, e := range p.TypeErrors {
			if text, ok := strings.CutPrefix(e.Msg, "instantiation cycle"); ok {
				cycles[p.PkgPath] = cycleStep(e, text)
			}
		}
	})
	if len(cycles) == 0 {
		return nil
	}
	w := &cycleWalk{cycles: cycles, seen: make(map[types.Object]bool)}
	w.typ(t)
	return w.found
}

// cycleStep returns the error in one line. Its text goes on with a line for each
// instance in the cycle: a position, and "T instantiated as []T".
func cycleStep(e types.Error, text string) diagnostic.Step {
	var instances []string
	for line := range strings.Lines(strings.TrimPrefix(text, ":")) {
		if _, instance, ok := strings.Cut(line, ": "); ok {
			instances = append(instances, strings.TrimSpace(instance))
		}
	}
	message := "instantiation cycle"
	if len(instances) > 0 {
		message += ": " + strings.Join(instances, ", ")
	}
	return diagnostic.Step{Pos: e.Fset.Position(e.Pos), Text: message}
}

// A cycleWalk follows types by their declarations, of which there are finitely
// many, and not by their instances.
type cycleWalk struct {
	cycles map[string]diagnostic.Step
	seen   map[types.Object]bool
	found  []diagnostic.Step
}

func (w *cycleWalk) typ(t types.Type) {
	switch t := t.(type) {
	case *types.Named:
		w.typeArgs(t.TypeArgs())
		if w.enter(t.Obj(), t.TypeParams().Len() > 0) {
			w.typ(t.Origin().Underlying())
		}
	case *types.Alias:
		w.typeArgs(t.TypeArgs())
		if w.enter(t.Obj(), t.TypeParams().Len() > 0) {
			w.typ(t.Origin().Rhs())
		}
	case *types.Struct:
		for field := range t.Fields() {
			w.typ(field.Type())
		}
	case *types.Signature:
		if t.Recv() != nil {
			w.typ(t.Recv().Type())
		}
		w.typ(t.Params())
		w.typ(t.Results())
	case *types.Tuple:
		for v := range t.Variables() {
			w.typ(v.Type())
		}
	case *types.Interface:
		for m := range t.ExplicitMethods() {
			w.typ(m.Type())
		}
	case *types.Map:
		w.typ(t.Key())
		w.typ(t.Elem())
	case interface{ Elem() types.Type }: // pointers, slices, arrays, channels
		w.typ(t.Elem())
	}
}

func (w *cycleWalk) typeArgs(args *types.TypeList) {
	for arg := range args.Types() {
		w.typ(arg)
	}
}

// enter reports whether a declared type is to be followed, and notes it if it may
// be part of a cycle.
func (w *cycleWalk) enter(declared *types.TypeName, generic bool) bool {
	if declared.Pkg() == nil || declared.Pos() == token.NoPos || w.seen[declared] {
		return false
	}
	w.seen[declared] = true
	cycle, ok := w.cycles[declared.Pkg().Path()]
	if ok && generic {
		w.found = []diagnostic.Step{cycle}
	}
	return true
}
