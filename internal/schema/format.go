package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Lines returns the lines of a schema, as [Parse] reads them.
func (s *Schema) Lines() []string { return s.lines(asWritten) }

// Fingerprint tells schemas apart. Two things do not matter to it, so that messages
// stay what they are: the names of structs, of which each counts by the order in which
// it is first mentioned; and which fields are secret, or had other names.
func (s *Schema) Fingerprint() string {
	numbers := make(map[string]int)
	h := sha256.New()
	for _, line := range s.lines(style{ref: func(name string) string {
		n, known := numbers[name]
		if !known {
			n = len(numbers) + 1
			numbers[name] = n
		}
		return fmt.Sprintf("#%d", n)
	}}) {
		fmt.Fprintln(h, line)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// A style is a way to write lines.
type style struct {
	ref   func(name string) string // writes the name of a struct
	notes bool                     // says which fields are secret, and which names they had
}

var asWritten = style{ref: func(name string) string { return name }, notes: true}

// lines writes the lines of a schema.
func (s *Schema) lines(in style) []string {
	var lines []string
	for _, f := range s.Fields {
		lines = append(lines, f.format(in))
	}
	for _, st := range s.Structs {
		prefix := in.ref(st.Name) + "."
		for _, f := range st.Fields {
			lines = append(lines, prefix+f.format(in))
		}
	}
	return lines
}

func (f Field) format(in style) string {
	text := fieldName(f.Name) + " " + f.Type.format(in)
	if f.Quoted {
		text += ", as string"
	}
	if f.Optional {
		text += ", may be absent"
	}
	if f.Secret && in.notes {
		text += ", secret"
	}
	if in.notes {
		for _, name := range f.Was {
			text += ", was " + fieldName(name)
		}
	}
	return text
}

// String returns the type as a line has it.
func (t *Type) String() string { return t.format(asWritten) }

func (t *Type) format(in style) string {
	switch t.Kind {
	case Time:
		return "time.Time"
	case Duration:
		return "time.Duration"
	case Bytes:
		return "base64"
	case JSON:
		return "JSON of " + t.Name
	case Text:
		return "text of " + t.Name
	case Pointer:
		return "*" + t.Elem.format(in)
	case List:
		return "[]" + t.Elem.format(in)
	case Array:
		return "[" + strconv.Itoa(t.Len) + "]" + t.Elem.format(in)
	case Map:
		key := t.Key.format(in)
		return "map[" + key + "]" + t.Elem.format(in)
	case Inline:
		var fields []string
		for _, f := range t.Fields {
			fields = append(fields, f.format(in))
		}
		return "{" + strings.Join(fields, "; ") + "}"
	case Ref:
		return in.ref(t.Name)
	case Outer:
		return "^" + strconv.Itoa(t.Len)
	}
	return t.Name
}

// fieldName returns the name of a field as a line has it: in quotes if it could be
// taken for something else.
func fieldName(name string) string {
	for _, r := range name {
		if r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return strconv.Quote(name)
		}
	}
	if name == "" {
		return `""`
	}
	return name
}
