package jsonwire

import (
	"fmt"
	"go/types"
	"slices"
)

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
func (j *Judge) chain(at *place) []Step {
	if at.outer == nil {
		return nil
	}
	var steps []Step
	for ; at != nil; at = at.outer {
		if at.outer != nil && at.field == nil {
			continue
		}
		step := Step{Text: fmt.Sprintf("%s is %s", at.path(), j.typeString(at.typ))}
		if at.field != nil {
			step.Pos = at.field.Pos()
		}
		steps = append(steps, step)
	}
	slices.Reverse(steps)
	return steps
}
