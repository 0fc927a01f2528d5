package jsonwire

import "go/types"

// maxArgDepth bounds how deep types are nested in the arguments of a generic
// one. Only a type that contains ever new instances of itself gets there.
const maxArgDepth = 30

// growing reports whether t is an instance of a generic type that contains ever
// new ones.
func growing(t types.Type) bool {
	_, named := t.(*types.Named)
	return named && argDepth(t) > maxArgDepth
}

// argDepth returns how deep t is nested. Of a named type, only its type arguments
// count, and not its definition.
func argDepth(t types.Type) int {
	deepest := 0
	below := func(t types.Type) { deepest = max(deepest, 1+argDepth(t)) }
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		for arg := range t.TypeArgs().Types() {
			below(arg)
		}
	case *types.Struct:
		for field := range t.Fields() {
			below(field.Type())
		}
	case *types.Signature:
		below(t.Params())
		below(t.Results())
	case *types.Tuple:
		for v := range t.Variables() {
			below(v.Type())
		}
	case *types.Interface:
		for m := range t.ExplicitMethods() {
			below(m.Type())
		}
	case *types.Map:
		below(t.Key())
		below(t.Elem())
	case interface{ Elem() types.Type }: // pointers, slices, arrays, channels
		below(t.Elem())
	}
	return deepest
}
