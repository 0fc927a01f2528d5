// Package fieldtag reads the tag dtask of a field: words, separated by commas.
//
//	Recipient string `json:"recipient" dtask:"was=to"`
//
// The generator judges it, and the runtime obeys it.
package fieldtag

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/internal/spelling"
)

// Key is the key of the tag.
const Key = "dtask"

// A Tag is what the tag of a field says.
type Tag struct {
	// Was are names that the field had in JSON. A message of an earlier version
	// that has one of them has the field.
	Was []string

	// Secret: the field is not shown to people.
	Secret bool
}

// words are the words that a tag can have, each with what follows an = in an example.
var words = map[string]string{"was": "OLDNAME", "secret": ""}

// Of returns the tag of a field. What is wrong in it is left out.
func Of(tag reflect.StructTag) Tag {
	t, _, _ := Parse(tag.Get(Key))
	return t
}

// Parse reads the text of a tag. If it cannot, it says why, and what to write.
func Parse(text string) (t Tag, flaw, hint string) {
	if text == "" {
		return t, "", ""
	}
	for word := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(word, "=")
		example, known := words[key]
		switch {
		case !known:
			return t, fmt.Sprintf("its dtask tag has the unknown word %q", word), did(key)
		case (value == "") != (example == ""):
			return t, fmt.Sprintf("its dtask tag has %q", word), "write " + written(key)
		}
		switch key {
		case "secret":
			t.Secret = true
		case "was":
			if slices.Contains(t.Was, value) {
				return t, fmt.Sprintf("its dtask tag says %s twice", word), "say it once"
			}
			t.Was = append(t.Was, value)
		}
	}
	return t, "", ""
}

// did says what a word was probably meant as.
func did(key string) string {
	var known []string
	for word := range words {
		known = append(known, word)
	}
	if near := spelling.Nearest(strings.ToLower(key), known); near != "" {
		return fmt.Sprintf("did you mean %s?", written(near))
	}
	slices.Sort(known)
	for i, word := range known {
		known[i] = written(word)
	}
	return "the words are " + strings.Join(known, ", ")
}

// written returns a word as it is written.
func written(key string) string {
	if words[key] == "" {
		return key
	}
	return key + "=" + words[key]
}
