package jsonwire

import (
	"fmt"
	"go/types"
	"strings"

	"github.com/dtaskhq/dtask/internal/typecheck"
)

// The runtime encodes with the implementation of encoding/json/v2 in the semantics of
// version 1. It also heeds a few methods and options of tags that version 1 does
// not know, and nothing switches them off. So they are refused where they would
// change what is judged here.

// version2Flaw returns why a type would be encoded otherwise than it is judged, and
// what to do, or "".
func (j *Judge) version2Flaw(t types.Type, c codec) (reason, hint string) {
	if c.own() {
		return "", "" // misfit judges the pair; version 2 prefers methods that say the same
	}
	set := types.NewMethodSet(types.NewPointer(t))
	for _, m := range []struct {
		name, instead string
		fits          func(*types.Signature) bool
	}{
		{"MarshalJSONTo", "MarshalJSON and UnmarshalJSON", isStreaming},
		{"UnmarshalJSONFrom", "MarshalJSON and UnmarshalJSON", isStreaming},
		{"AppendText", "MarshalText and UnmarshalText", isAppend},
	} {
		if method(set, m.name, m.fits) != nil {
			first, _, _ := strings.Cut(m.instead, " ")
			return fmt.Sprintf("%s has %s and no %s", j.typeString(t), m.name, first), "write " + m.instead + " as well"
		}
	}
	return "", ""
}

// isStreaming reports whether a signature is func(*T) error.
func isStreaming(s *types.Signature) bool {
	if s.Params().Len() != 1 || s.Results().Len() != 1 || !typecheck.IsError(s.Results().At(0).Type()) {
		return false
	}
	_, pointer := types.Unalias(s.Params().At(0).Type()).(*types.Pointer)
	return pointer
}

// isAppend reports whether a signature is func([]byte) ([]byte, error).
func isAppend(s *types.Signature) bool {
	return s.Params().Len() == 1 && types.Identical(s.Params().At(0).Type(), byteSlice) &&
		s.Results().Len() == 2 && types.Identical(s.Results().At(0).Type(), byteSlice) && typecheck.IsError(s.Results().At(1).Type())
}

// version2Option returns what in a json tag only version 2 understands, or "".
func version2Option(tag string) string {
	_, options, _ := strings.Cut(tag, ",")
	for option := range strings.SplitSeq(options, ",") {
		word, _, _ := strings.Cut(option, ":")
		switch word {
		case "format", "case", "inline", "embed", "unknown":
			return option
		}
	}
	return ""
}
