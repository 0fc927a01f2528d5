package jsonwire

import (
	"fmt"
	"go/types"

	"github.com/dtaskhq/dtask/internal/typecheck"
)

// interfaceReason returns why an interface cannot be sent.
func (j *Judge) interfaceReason(t types.Type) (reason, hint string) {
	switch {
	case typecheck.IsError(t):
		return "an error cannot be decoded", "pass its text"
	case typecheck.IsContext(t):
		return "a context belongs to the process", "take ctx context.Context as the first parameter"
	case t.Underlying().(*types.Interface).NumMethods() == 0:
		return "any comes back as another type (a number as float64)", "pass a concrete type, or json.RawMessage"
	}
	return fmt.Sprintf("%s is an interface, which cannot be decoded", j.typeString(t)), "pass a concrete type"
}

// basicReason returns why a basic type cannot be sent, or "".
func basicReason(b *types.Basic) (reason, hint string) {
	switch {
	case b.Info()&types.IsComplex != 0:
		return "a complex number cannot be encoded", "pass its two parts"
	case b.Kind() == types.Uintptr, b.Kind() == types.UnsafePointer:
		return fmt.Sprintf("%s means nothing in another process", b), "pass the value"
	}
	return "", ""
}

// keyReason returns why a type cannot be the key of a map in JSON.
func (j *Judge) keyReason(key types.Type) (reason, hint string) {
	const useString = "use a string or an integer for key"
	t := types.Unalias(key)
	c := codecBy("Text", t) // encoding/json does not call the JSON methods of a key
	basic, _ := t.Underlying().(*types.Basic)
	isString := basic != nil && basic.Info()&types.IsString != 0
	switch {
	case t == types.Typ[types.Invalid]:
		return "the type of the key has an error", "mend it"
	case c.own() && isString:
		// The encoder takes the string as it is. The decoder calls UnmarshalText.
		return fmt.Sprintf("a key of type %s would be encoded as the string that it is, but decoded by its UnmarshalText", j.typeString(t)), "use string for key"
	case c.own():
		if reason, hint := j.misfit(t, c, false); reason != "" {
			return reason, hint
		}
		return j.version2Flaw(t, c, true)
	}
	if reason, hint := j.version2Flaw(t, c, true); reason != "" {
		return reason, hint
	}
	switch {
	case isString || basic != nil && basic.Info()&types.IsInteger != 0 && basic.Kind() != types.Uintptr:
		return "", ""
	}
	return fmt.Sprintf("JSON has no keys of type %s", j.typeString(t)), useString
}

// isTime reports whether t is time.Time. It survives, except for its monotonic
// clock reading and the name of its zone.
func isTime(t types.Type) bool { return isNamed(t, "time", "Time") }

func isNamed(t types.Type, pkg, name string) bool {
	n, ok := t.(*types.Named)
	return ok && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == pkg && n.Obj().Name() == name
}
