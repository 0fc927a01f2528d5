package jsonwire

import (
	"fmt"
	"go/types"

	"github.com/dtaskhq/dtask/internal/typecheck"
)

// A codec says how encoding/json treats a type: by its own methods, or by its
// kind.
type codec struct {
	marshal   *types.Selection // what encodes it: MarshalJSON, MarshalText, or nil
	unmarshal *types.Selection // what decodes it: UnmarshalJSON, UnmarshalText, or nil
	text      bool             // the methods are the pair for text

	marshalsValue   bool // marshal has a value receiver
	unmarshalsValue bool // unmarshal has a value receiver
}

// own reports whether the type encodes itself.
func (c codec) own() bool { return c.marshal != nil || c.unmarshal != nil }

// codecOf returns how a value of type t is encoded and decoded.
func (e *Encoding) codecOf(t types.Type) codec {
	if c, ok := e.codecs[t]; ok {
		return c
	}
	c := codecBy("JSON", t)
	if !c.own() {
		c = codecBy("Text", t)
	}
	e.codecs[t] = c
	return c
}

// codecBy returns what the methods MarshalJSON and UnmarshalJSON, or MarshalText
// and UnmarshalText, make of a type.
func codecBy(suffix string, t types.Type) codec {
	onValue := types.NewMethodSet(t)
	onPointer := types.NewMethodSet(types.NewPointer(t))
	return codec{
		marshal:         method(onPointer, "Marshal"+suffix, isMarshal),
		unmarshal:       method(onPointer, "Unmarshal"+suffix, isUnmarshal),
		text:            suffix == "Text",
		marshalsValue:   method(onValue, "Marshal"+suffix, isMarshal) != nil,
		unmarshalsValue: method(onValue, "Unmarshal"+suffix, isUnmarshal) != nil,
	}
}

// misfit returns why a type that encodes itself does not come back, and what to
// do, or "". A method with a pointer receiver is called only for a value that is
// addressable: one behind a pointer or in a slice.
func (j *Judge) misfit(t types.Type, c codec, addressable bool) (reason, hint string) {
	name := j.typeString(t)
	marshal, unmarshal := "MarshalJSON", "UnmarshalJSON"
	if c.text {
		marshal, unmarshal = "MarshalText", "UnmarshalText"
	}
	const giveName = "give the embedded field a name"
	switch {
	case c.unmarshal == nil:
		return fmt.Sprintf("%s has %s and no %s", name, marshal, unmarshal), "write " + unmarshal + " as well"
	case c.marshal == nil:
		return fmt.Sprintf("%s has %s and no %s", name, unmarshal, marshal), "write " + marshal + " as well"
	case takenOver(t, c.marshal) != nil:
		field := j.typeString(takenOver(t, c.marshal).Type())
		return fmt.Sprintf("%s would be encoded as its embedded %s alone", name, field), giveName
	case takenOver(t, c.unmarshal) != nil:
		field := j.typeString(takenOver(t, c.unmarshal).Type())
		return fmt.Sprintf("%s would be decoded as its embedded %s alone", name, field), giveName
	case !c.marshalsValue && !addressable:
		hint := "pass a pointer"
		if !j.foreign(t) {
			hint += ", or give " + marshal + " a value receiver"
		}
		return fmt.Sprintf("the %s of %s has a pointer receiver, so it is not called for a value", marshal, name), hint
	case c.unmarshalsValue && !isMap(t):
		return fmt.Sprintf("the %s of %s has no pointer receiver, so what it decodes is lost", unmarshal, name), "give it a pointer receiver"
	}
	return "", ""
}

// takenOver returns the embedded field that a method of a struct comes from, if
// something gets lost that way: other fields of the struct, or of one in between,
// or everything, as the embedded pointer may be nil.
func takenOver(t types.Type, method *types.Selection) *types.Var {
	var outermost *types.Var
	path := method.Index()
	for _, i := range path[:len(path)-1] {
		st, ok := t.Underlying().(*types.Struct)
		if !ok {
			return nil
		}
		field := st.Field(i)
		if outermost == nil {
			outermost = field
		}
		if _, pointer := types.Unalias(field.Type()).(*types.Pointer); st.NumFields() > 1 || pointer {
			return outermost
		}
		t = field.Type()
	}
	return nil
}

func method(set *types.MethodSet, name string, fits func(*types.Signature) bool) *types.Selection {
	s := set.Lookup(nil, name)
	if s == nil || !fits(s.Obj().(*types.Func).Signature()) {
		return nil
	}
	return s
}

var byteSlice = types.NewSlice(types.Typ[types.Byte])

// isMarshal reports whether a signature is func() ([]byte, error).
func isMarshal(s *types.Signature) bool {
	return s.Params().Len() == 0 && s.Results().Len() == 2 &&
		types.Identical(s.Results().At(0).Type(), byteSlice) && typecheck.IsError(s.Results().At(1).Type())
}

// isUnmarshal reports whether a signature is func([]byte) error.
func isUnmarshal(s *types.Signature) bool {
	return s.Params().Len() == 1 && s.Results().Len() == 1 &&
		types.Identical(s.Params().At(0).Type(), byteSlice) && typecheck.IsError(s.Results().At(0).Type())
}

func isMap(t types.Type) bool {
	_, ok := t.Underlying().(*types.Map)
	return ok
}
