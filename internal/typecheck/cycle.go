package typecheck

import "go/types"

// InstantiationCycle returns a generic type that a function leads to and that contains
// ever new instances of itself, with the instance that makes it endless:
//
//	type Grow[T any] struct{ *Grow[[]T] }
//
// It returns nil if there is none. Package go/types refuses such a type if it finds
// no other error in the package, and looking up its methods never ends.
//
// The algorithm is that of go/types (mono.go): every type argument that is made of
// a type parameter is an edge of a graph, from that parameter to the one that the
// argument is for. The type is endless if there is a cycle with an edge on which
// the argument is more than the parameter alone.
func InstantiationCycle(f *types.Signature) (generic *types.TypeName, instance types.Type) {
	w := &instanceWalk{seen: make(map[types.Object]bool), from: make(map[*types.TypeParam][]*instanceEdge)}
	w.typ(f)
	if f.Recv() != nil {
		w.typ(f.Recv().Type())
	}
	for _, e := range w.grows {
		if w.leads(e.to, e.from, make(map[*types.TypeParam]bool)) {
			return e.in, e.instance
		}
	}
	return nil, nil
}

// An instanceEdge says that a type argument for the parameter to is made of the
// parameter from.
type instanceEdge struct {
	from, to *types.TypeParam
	in       *types.TypeName // the declaration that has the instance
	instance types.Type
}

// An instanceWalk collects the edges of all declarations that a type leads to. It
// follows declarations, of which there are finitely many, and not instances.
type instanceWalk struct {
	seen  map[types.Object]bool
	in    *types.TypeName // whose declaration is followed now
	from  map[*types.TypeParam][]*instanceEdge
	grows []*instanceEdge // where the argument is more than the parameter
}

func (w *instanceWalk) typ(t types.Type) {
	switch t := t.(type) {
	case *types.Named:
		w.instance(t, t.Origin().TypeParams(), t.TypeArgs())
		w.declaration(t.Obj(), t.Origin().Underlying())
	case *types.Alias:
		w.instance(t, t.Origin().TypeParams(), t.TypeArgs())
		w.declaration(t.Obj(), t.Origin().Rhs())
	case *types.Struct:
		for field := range t.Fields() {
			w.typ(field.Type())
		}
	case *types.Signature:
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

// declaration follows a declared type, once.
func (w *instanceWalk) declaration(declared *types.TypeName, underlying types.Type) {
	if w.seen[declared] {
		return
	}
	w.seen[declared] = true
	outer := w.in
	w.in = declared
	w.typ(underlying)
	w.in = outer
}

// instance adds the edges of an instance of a generic type.
func (w *instanceWalk) instance(t types.Type, params *types.TypeParamList, args *types.TypeList) {
	for i := range args.Len() {
		arg := args.At(i)
		w.typ(arg)
		for _, from := range typeParams(arg, nil) {
			e := &instanceEdge{from, params.At(i), w.in, t}
			w.from[from] = append(w.from[from], e)
			if types.Type(from) != types.Unalias(arg) {
				w.grows = append(w.grows, e)
			}
		}
	}
}

// leads reports whether there is a way from one parameter to another.
func (w *instanceWalk) leads(from, to *types.TypeParam, passed map[*types.TypeParam]bool) bool {
	if from == to {
		return true
	}
	if passed[from] {
		return false
	}
	passed[from] = true
	for _, e := range w.from[from] {
		if w.leads(e.to, to, passed) {
			return true
		}
	}
	return false
}

// typeParams appends the type parameters that a type argument is made of.
func typeParams(t types.Type, found []*types.TypeParam) []*types.TypeParam {
	add := func(t types.Type) { found = typeParams(t, found) }
	switch t := t.(type) {
	case *types.TypeParam:
		return append(found, t)
	case *types.Named:
		for arg := range t.TypeArgs().Types() {
			add(arg)
		}
	case *types.Alias:
		for arg := range t.TypeArgs().Types() {
			add(arg)
		}
	case *types.Struct:
		for field := range t.Fields() {
			add(field.Type())
		}
	case *types.Signature:
		add(t.Params())
		add(t.Results())
	case *types.Tuple:
		for v := range t.Variables() {
			add(v.Type())
		}
	case *types.Interface:
		for m := range t.ExplicitMethods() {
			add(m.Type())
		}
	case *types.Map:
		add(t.Key())
		add(t.Elem())
	case interface{ Elem() types.Type }:
		add(t.Elem())
	}
	return found
}
