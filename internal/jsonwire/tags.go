package jsonwire

import (
	"go/types"
	"strings"
	"unicode"
)

// embeddedStruct returns the struct type that v embeds, if it does.
func embeddedStruct(v *types.Var) (t types.Type, pointer bool) {
	if !v.Embedded() {
		return nil, false
	}
	t = types.Unalias(v.Type())
	if p, ok := t.(*types.Pointer); ok {
		t, pointer = types.Unalias(p.Elem()), true
	}
	if _, ok := t.Underlying().(*types.Struct); !ok {
		return nil, false
	}
	return t, pointer
}

// fieldOptions are the options in the tag of a field.
type fieldOptions struct {
	optional bool // omitempty or omitzero
	quoted   bool // string
	secret   bool // of the tag dtask, also of an embedded struct around the field
}

// fieldOptionsOf reads the options of a field of type t.
func fieldOptionsOf(t types.Type, options string) (o fieldOptions) {
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitempty", "omitzero":
			o.optional = true
		case "string":
			o.quoted = quotable(t)
		}
	}
	return o
}

// quotable reports whether the option "string" means anything for a type.
func quotable(t types.Type) bool {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&(types.IsBoolean|types.IsInteger|types.IsFloat|types.IsString) != 0
}

// validJSONName reports whether encoding/json takes a name from a tag.
func validJSONName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}
