package scan

import (
	"fmt"
	"go/ast"
	"go/types"
	"slices"

	"golang.org/x/tools/go/types/typeutil"
)

// maxArgDepth bounds how deep types are nested in the arguments of a generic
// one. Only one that contains ever new instances of itself gets there.
const maxArgDepth = 30

// checkWire reports all that keeps values of type t, which the task has as a
// parameter or result called name, from coming back equal from a message.
func (p *packageScan) checkWire(t *Task, name string, typ types.Type, at ast.Expr) {
	w := &wireCheck{p: p, task: t, at: at}
	w.value(&place{name: name, typ: typ}, typ, false)
}

// A wireCheck follows a type to whatever does not survive the wire.
type wireCheck struct {
	p    *packageScan
	task *Task
	at   ast.Expr
	// seen holds the types that were judged, by whether the value was
	// addressable: each is reported once.
	seen [2]typeutil.Map
	// endless is set once a type turns out to be without end.
	endless bool
}

// A place is where a type was reached: a parameter, or a part of another place.
type place struct {
	outer *place
	name  string     // of the parameter; of a part, what to append: .Profile, []
	field *types.Var // of a field
	typ   types.Type
}

// path returns the place as users would write it: user.Profile.conns[].
func (at *place) path() string {
	if at.outer == nil {
		return at.name
	}
	return at.outer.path() + at.name
}

func (at *place) elements(typ types.Type) *place {
	return &place{outer: at, name: "[]", typ: typ}
}

func (at *place) fieldOf(path string, v *types.Var) *place {
	return &place{outer: at, name: "." + path, field: v, typ: v.Type()}
}

// chain returns the way to a place: the parameter and the fields.
func (w *wireCheck) chain(at *place) []Step {
	var steps []Step
	for ; at != nil; at = at.outer {
		if at.outer != nil && at.field == nil {
			continue
		}
		step := Step{Text: fmt.Sprintf("%s is %s", at.path(), w.p.typeString(at.typ))}
		if at.field != nil {
			step.Pos = w.p.pos(at.field.Pos())
		}
		steps = append(steps, step)
	}
	slices.Reverse(steps)
	return steps
}

// value judges a type that was reached at a place.
func (w *wireCheck) value(at *place, typ types.Type, addressable bool) {
	seen := &w.seen[0]
	if addressable {
		seen = &w.seen[1]
	}
	t := types.Unalias(typ)
	if w.endless || seen.At(t) != nil {
		return
	}
	seen.Set(t, true)
	switch c := w.p.codecOf(t); {
	case t == types.Typ[types.Invalid]:
		w.unresolved(at)
	case growing(t):
		w.endless = true
		w.refuse(at, "the type contains ever new instances of itself", "pass a type that is not generic")
	case knownBad(t) != nil:
		w.refuse(at, knownBad(t)[0], knownBad(t)[1])
	case types.IsInterface(t):
		reason, hint := w.p.interfaceReason(t)
		w.refuse(at, reason, hint)
	case isTime(t):
	case c.own():
		if reason, hint := w.p.misfit(t, c, addressable); reason != "" {
			w.refuse(at, reason, hint)
		}
	default:
		w.kind(at, t, addressable)
	}
}

// kind judges a type that encoding/json encodes by its kind.
func (w *wireCheck) kind(at *place, t types.Type, addressable bool) {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		if reason, hint := basicReason(u); reason != "" {
			w.refuse(at, reason, hint)
		}
	case *types.Pointer:
		w.pointer(at, u)
	case *types.Slice:
		w.value(at.elements(u.Elem()), u.Elem(), true)
	case *types.Array:
		w.value(at.elements(u.Elem()), u.Elem(), addressable)
	case *types.Map:
		if reason, hint := w.p.keyReason(u.Key()); reason != "" {
			w.refuse(at, reason, hint)
		}
		w.value(at.elements(u.Elem()), u.Elem(), false)
	case *types.Struct:
		w.structure(at, t, u, addressable)
	case *types.Chan:
		w.refuse(at, "a channel cannot leave the process", "pass the values")
	case *types.Signature:
		w.refuse(at, "a function cannot leave the process", "pass what tells the task which function to call")
	default:
		w.refuse(at, fmt.Sprintf("%s cannot be encoded", w.p.typeString(t)), "pass a concrete type")
	}
}

// pointer judges a pointer. A nil one is null in JSON, so it must not point to
// what may be null itself.
func (w *wireCheck) pointer(at *place, ptr *types.Pointer) {
	elem := types.Unalias(ptr.Elem())
	if !w.p.codecOf(elem).own() || isNamed(elem, "encoding/json", "RawMessage") {
		switch elem.Underlying().(type) {
		case *types.Pointer, *types.Slice, *types.Map:
			w.refuse(at, fmt.Sprintf("a pointer to %s would come back nil where what it points to is nil", w.p.typeString(ptr.Elem())), "drop the pointer")
			return
		}
	}
	w.value(at, elem, true)
}

// structure judges a struct by the fields that encoding/json sees, and those
// that it does not.
func (w *wireCheck) structure(at *place, t types.Type, st *types.Struct, addressable bool) {
	if isOfC(st) {
		w.refuse(at, "a type of C cannot be sent", "pass a type of Go")
		return
	}
	fields, lost := w.p.jsonFields(st)
	if len(lost) > 0 && w.p.foreign(t) {
		w.refuse(at, w.p.typeString(t)+" has fields that would be lost", w.lostHint(t))
		return
	}
	for _, l := range lost {
		hint := l.hint
		if hint == "" {
			hint = w.lostHint(t)
		}
		w.refuse(at.fieldOf(l.path, l.v), l.reason, hint)
	}
	for _, f := range fields {
		field := at.fieldOf(f.path, f.v)
		if f.options.quoted && w.p.codecOf(types.Unalias(f.v.Type())).own() {
			w.refuse(field, "the json option string does not go with a type that encodes itself", "drop the option")
			continue
		}
		w.value(field, f.v.Type(), addressable || f.pointers > 0)
	}
}

// lostHint returns what to do about an unexported field of a type.
func (w *wireCheck) lostHint(t types.Type) string {
	named, ok := t.(*types.Named)
	if !ok {
		return `export it, or tag it json:"-" to leave it out`
	}
	for m := range named.Methods() {
		if m.Name() == "ProtoReflect" {
			return "pass the message as the []byte of proto.Marshal"
		}
	}
	if w.p.foreign(t) {
		return "pass what identifies the value, and load it in the task"
	}
	return fmt.Sprintf(`export it, tag it json:"-" to leave it out, or give %s MarshalJSON and UnmarshalJSON`, w.p.typeString(t))
}

// growing reports whether t is an instance of a generic type that contains ever
// new ones.
func growing(t types.Type) bool {
	_, named := t.(*types.Named)
	return named && argDepth(t) > maxArgDepth
}

// argDepth returns how deep t is nested, where a type argument is a part of its
// instance and nothing else of a named type is.
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

// refuse reports what keeps a place from surviving.
func (w *wireCheck) refuse(at *place, reason, hint string) {
	chain := w.chain(at)
	if w.endless {
		chain = chain[:min(len(chain), 3)]
		for at.outer != nil {
			at = at.outer
		}
	}
	d := w.p.report(w.p.pos(w.at.Pos()), CodeWire, hint, "%s: %s: %s", w.task.describe(), at.path(), reason)
	if at.outer != nil || len(chain) > 1 {
		d.Chain = chain
	}
}
