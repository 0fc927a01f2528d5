package jsonwire

import (
	"fmt"
	"go/types"
	"reflect"
	"strings"

	"golang.org/x/tools/go/types/typeutil"

	"github.com/dtaskhq/dtask/internal/fieldtag"
	"github.com/dtaskhq/dtask/internal/spelling"
)

// misspeltTag returns what is wrong with tags among which dtask is not, and what to do,
// or "". No other library has a key that is so near, with this value: a tag that means
// nothing would show what was to be secret.
func misspeltTag(tags reflect.StructTag) (reason, hint string) {
	for pair := range strings.FieldsSeq(string(tags)) {
		key, value, _ := strings.Cut(pair, ":")
		if value == `"secret"` && spelling.Nearest(key, []string{fieldtag.Key}) != "" {
			return fmt.Sprintf("unknown tag %s:%s", key, value), `did you mean dtask:"secret"?`
		}
	}
	return "", ""
}

// hidesSecret reports whether a type has secret fields somewhere behind methods that
// encode it, so that nobody can tell where they are in JSON.
func (e *Encoding) hidesSecret(t types.Type) bool {
	return e.secretBehind(t, false, new(typeutil.Map))
}

func (e *Encoding) secretBehind(t types.Type, own bool, seen *typeutil.Map) bool {
	t = types.Unalias(t)
	if seen.At(t) != nil || isTime(t) {
		return false
	}
	seen.Set(t, true)
	own = own || e.codecOf(t).own()
	switch u := t.Underlying().(type) {
	case *types.Pointer:
		return e.secretBehind(u.Elem(), own, seen)
	case *types.Slice:
		return e.secretBehind(u.Elem(), own, seen)
	case *types.Array:
		return e.secretBehind(u.Elem(), own, seen)
	case *types.Map:
		return e.secretBehind(u.Key(), own, seen) || e.secretBehind(u.Elem(), own, seen)
	case *types.Struct:
		if !own {
			return false // its fields have lines of their own
		}
		for i := range u.NumFields() {
			if fieldtag.Of(reflect.StructTag(u.Tag(i))).Secret || e.secretBehind(u.Field(i).Type(), own, seen) {
				return true
			}
		}
	}
	return false
}
