package jsonwire

import (
	"fmt"
	"go/types"
	"slices"
	"strings"
	"unicode"

	"github.com/dtaskhq/dtask/internal/typecheck"
)

// The runtime encodes with the implementation of encoding/json/v2 in the semantics of
// version 1. It also heeds a few methods and options of tags that version 1 does
// not know, and nothing switches them off. So they are refused where they would
// change what is judged here.

// version2Methods are the methods that only version 2 knows, each with the one of
// version 1 that it takes the place of.
var version2Methods = []struct {
	name, instead string
	text          bool // they are for text
	decodes       bool
	fits          func(*types.Signature) bool
}{
	{"MarshalJSONTo", "MarshalJSON", false, false, isStreaming},
	{"UnmarshalJSONFrom", "UnmarshalJSON", false, true, isStreaming},
	{"AppendText", "MarshalText", true, false, isAppend},
}

// version2Flaw returns why a type would be encoded otherwise than it is judged by
// its methods of version 1, which are c, and what to do, or "". A method of version 2
// does no harm if it is declared where that of version 1 is: they say the same.
func (j *Judge) version2Flaw(t types.Type, c codec, key bool) (reason, hint string) {
	set := types.NewMethodSet(types.NewPointer(t))
	for _, m := range version2Methods {
		found := method(set, m.name, m.fits)
		switch {
		case found == nil, key && !m.text: // a key is encoded by the methods for text alone
			continue
		case m.text && c.own() && !c.text: // the methods for JSON come first
			continue
		}
		known := c.marshal
		if m.decodes {
			known = c.unmarshal
		}
		switch {
		case known == nil || c.text != m.text:
			return fmt.Sprintf("%s has %s and no %s", j.typeString(t), m.name, m.instead), "write both methods of version 1 as well: the one that encodes and the one that decodes"
		case !slices.Equal(embeddedPath(found), embeddedPath(known)):
			return fmt.Sprintf("%s would be encoded by %s, which comes from another type than its %s", j.typeString(t), m.name, m.instead), "give the embedded field a name"
		}
	}
	return "", ""
}

// embeddedPath returns the embedded fields that a method is reached through.
func embeddedPath(method *types.Selection) []int {
	path := method.Index()
	return path[:len(path)-1]
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

// tagFlaw returns what in a json tag the two versions read in different ways, and
// what to do, or "".
func tagFlaw(tag string) (reason, hint string) {
	name, options, _ := strings.Cut(tag, ",")
	if name != "" && !validJSONName(name) {
		return fmt.Sprintf("%q in its json tag is no valid name", name), "use letters and digits"
	}
	for option := range strings.SplitSeq(options, ",") {
		switch word, _, _ := strings.Cut(option, ":"); word {
		case "format", "case", "inline", "embed", "unknown":
			return fmt.Sprintf("only version 2 of encoding/json understands %s in a json tag", option), "take it out of the tag"
		}
		if strings.ContainsFunc(option, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' }) {
			return fmt.Sprintf("%q in its json tag is no valid option", option), "take it out of the tag"
		}
	}
	return "", ""
}
