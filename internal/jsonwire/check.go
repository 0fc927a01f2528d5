package jsonwire

import (
	"fmt"
	"go/types"

	"golang.org/x/tools/go/types/typeutil"

	"github.com/dtaskhq/dtask/internal/typecheck"
)

// A check follows a type to everything in it that does not come back.
type check struct {
	*Judge
	flaws []Flaw
	// seen holds the types that were judged, by whether the value was
	// addressable, so that each is reported once.
	seen [2]typeutil.Map
}

// value judges a type that was reached at a place.
func (c *check) value(at *place, typ types.Type, addressable bool) {
	seen := &c.seen[0]
	if addressable {
		seen = &c.seen[1]
	}
	t := types.Unalias(typ)
	if seen.At(t) != nil {
		return
	}
	seen.Set(t, true)
	switch codec := c.codecOf(t); {
	case t == types.Typ[types.Invalid]:
		c.flaws = append(c.flaws, Flaw{Path: at.path(), Chain: c.chain(at), Unresolved: true})
	case knownBad(t) != nil:
		c.refuse(at, knownBad(t)[0], knownBad(t)[1])
	case types.IsInterface(t):
		reason, hint := c.interfaceReason(t)
		c.refuse(at, reason, hint)
	case isTime(t):
	case codec.own():
		reason, hint := c.misfit(t, codec, addressable)
		if reason == "" {
			reason, hint = c.version2Flaw(t, codec, false)
		}
		if reason != "" {
			c.refuse(at, reason, hint)
		}
	default:
		if reason, hint := c.version2Flaw(t, codec, false); reason != "" {
			c.refuse(at, reason, hint)
			return
		}
		c.kind(at, t, addressable)
	}
}

// kind judges a type that encoding/json encodes by its kind.
func (c *check) kind(at *place, t types.Type, addressable bool) {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		if reason, hint := basicReason(u); reason != "" {
			c.refuse(at, reason, hint)
		}
	case *types.Pointer:
		c.pointer(at, u)
	case *types.Slice:
		c.value(at.elements(u.Elem()), u.Elem(), true)
	case *types.Array:
		c.value(at.elements(u.Elem()), u.Elem(), addressable)
	case *types.Map:
		if reason, hint := c.keyReason(u.Key()); reason != "" {
			c.refuse(at, reason, hint)
		}
		c.value(at.elements(u.Elem()), u.Elem(), false)
	case *types.Struct:
		c.structure(at, t, u, addressable)
	case *types.Chan:
		c.refuse(at, "a channel cannot leave the process", "pass the values")
	case *types.Signature:
		c.refuse(at, "a function cannot leave the process", "pass what tells the task which function to call")
	default:
		c.refuse(at, fmt.Sprintf("%s cannot be encoded", c.typeString(t)), "pass a concrete type")
	}
}

// pointer judges a pointer. A nil one is null in JSON, so it must not point to
// what may be null itself.
func (c *check) pointer(at *place, ptr *types.Pointer) {
	elem := types.Unalias(ptr.Elem())
	if !c.codecOf(elem).own() || isNamed(elem, "encoding/json", "RawMessage") {
		switch elem.Underlying().(type) {
		case *types.Pointer, *types.Slice, *types.Map:
			c.refuse(at, fmt.Sprintf("a pointer to a nil %s would come back as a nil pointer", c.typeString(ptr.Elem())), "drop the pointer")
			return
		}
	}
	c.value(at, elem, true)
}

// structure judges a struct by the fields that encoding/json sees, and those
// that it does not.
func (c *check) structure(at *place, t types.Type, st *types.Struct, addressable bool) {
	if typecheck.IsOfC(st) {
		c.refuse(at, "a type of C cannot be sent", "pass a type of Go")
		return
	}
	fields, lost := c.jsonFields(st)
	if len(lost) > 0 && c.foreign(t) {
		c.refuse(at, c.typeString(t)+" has fields that would be lost", c.lostHint(t))
		return
	}
	for _, l := range lost {
		hint := l.hint
		if hint == "" {
			hint = c.lostHint(t)
		}
		c.refuse(at.fieldOf(l.path, l.v), l.reason, hint)
	}
	for _, f := range fields {
		field := at.fieldOf(f.path, f.v)
		if f.options.quoted && c.codecOf(types.Unalias(f.v.Type())).own() {
			c.refuse(field, "the json option string does not go with a type that encodes itself", "drop the option")
			continue
		}
		c.value(field, f.v.Type(), addressable || f.pointers > 0)
	}
}

// lostHint returns what to do about an unexported field of a type.
func (c *check) lostHint(t types.Type) string {
	named, ok := t.(*types.Named)
	if !ok {
		return `export it, or tag it json:"-" to leave it out`
	}
	for m := range named.Methods() {
		if m.Name() == "ProtoReflect" {
			return "pass the message as the []byte of proto.Marshal"
		}
	}
	if c.foreign(t) {
		return "pass what identifies the value, and load it in the task"
	}
	return fmt.Sprintf(`export it, tag it json:"-" to leave it out, or give %s MarshalJSON and UnmarshalJSON`, c.typeString(t))
}

// refuse adds what keeps a place from coming back.
func (c *check) refuse(at *place, reason, hint string) {
	c.flaws = append(c.flaws, Flaw{Path: at.path(), Reason: reason, Hint: hint, Chain: c.chain(at)})
}
