package scan

import "go/types"

// A codec says how encoding/json treats a type: by its own methods, or by its
// kind.
type codec struct {
	marshal   *types.Selection // what encodes it: MarshalJSON, MarshalText, or nil
	unmarshal *types.Selection // what decodes it: UnmarshalJSON, UnmarshalText, or nil
	text      bool             // by the Text pair
	problem   string           // why the two do not fit
	hint      string
}

// own reports whether the type encodes itself.
func (c codec) own() bool { return c.marshal != nil || c.unmarshal != nil }

// codecOf returns how a value of type t is encoded and decoded. Pointer methods
// are called only for values that are addressable: those behind a pointer or in
// a slice.
func (p *packageScan) codecOf(t types.Type, addressable bool) codec {
	onValue := types.NewMethodSet(t)
	onPointer := types.NewMethodSet(types.NewPointer(t))
	marshalJSON := method(onPointer, "MarshalJSON", isMarshal)
	marshalText := method(onPointer, "MarshalText", isMarshal)
	unmarshalJSON := method(onPointer, "UnmarshalJSON", isUnmarshal)
	unmarshalText := method(onPointer, "UnmarshalText", isUnmarshal)

	name := p.typeString(t)
	c := codec{marshal: marshalJSON, unmarshal: unmarshalJSON}
	suffix := "JSON"
	if marshalJSON == nil && unmarshalJSON == nil {
		c = codec{marshal: marshalText, unmarshal: unmarshalText, text: true}
		suffix = "Text"
	}
	switch {
	case !c.own():
		return c
	case c.unmarshal == nil:
		c.problem = name + " has a Marshal" + suffix + " and no Unmarshal" + suffix
		c.hint = "write Unmarshal" + suffix + " as well"
	case c.marshal == nil:
		c.problem = name + " has an Unmarshal" + suffix + " and no Marshal" + suffix
		c.hint = "write Marshal" + suffix + " as well"
	case takenOver(t, c.marshal) != nil:
		c.problem = name + " would be encoded as its embedded " + p.typeString(takenOver(t, c.marshal).Type()) + " alone"
		c.hint = "give the embedded field a name"
	case takenOver(t, c.unmarshal) != nil:
		c.problem = name + " would be decoded as its embedded " + p.typeString(takenOver(t, c.unmarshal).Type()) + " alone"
		c.hint = "give the embedded field a name"
	case method(onValue, c.marshal.Obj().Name(), isMarshal) == nil && !addressable:
		c.problem = "the Marshal" + suffix + " of " + name + " has a pointer receiver, so it is not called for a value"
		c.hint = "pass a pointer"
		if !p.foreign(t) {
			c.hint += ", or give Marshal" + suffix + " a value receiver"
		}
	case method(onValue, c.unmarshal.Obj().Name(), isUnmarshal) != nil && !isMap(t):
		c.problem = "the Unmarshal" + suffix + " of " + name + " has no pointer receiver, so what it decodes is lost"
		c.hint = "give it a pointer receiver"
	}
	return c
}

// takenOver returns the embedded field that a method of a struct comes from, if
// that leaves other fields out or calls the method on what may be a nil
// pointer.
func takenOver(t types.Type, method *types.Selection) *types.Var {
	st, ok := t.Underlying().(*types.Struct)
	if !ok || len(method.Index()) == 1 {
		return nil
	}
	field := st.Field(method.Index()[0])
	if _, pointer := types.Unalias(field.Type()).(*types.Pointer); st.NumFields() > 1 || pointer {
		return field
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
		types.Identical(s.Results().At(0).Type(), byteSlice) && isError(s.Results().At(1).Type())
}

// isUnmarshal reports whether a signature is func([]byte) error.
func isUnmarshal(s *types.Signature) bool {
	return s.Params().Len() == 1 && s.Results().Len() == 1 &&
		types.Identical(s.Params().At(0).Type(), byteSlice) && isError(s.Results().At(0).Type())
}

func isMap(t types.Type) bool {
	_, ok := t.Underlying().(*types.Map)
	return ok
}
