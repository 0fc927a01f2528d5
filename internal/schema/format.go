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
func (s *Schema) Lines() []string { return s.lines(func(name string) string { return name }) }

// Fingerprint tells schemas apart. The names of structs do not matter to it, so
// that messages stay what they are if a struct is renamed: each counts by the order
// in which it is first mentioned.
func (s *Schema) Fingerprint() string {
	numbers := make(map[string]int)
	h := sha256.New()
	for _, line := range s.lines(func(name string) string {
		n, known := numbers[name]
		if !known {
			n = len(numbers) + 1
			numbers[name] = n
		}
		return fmt.Sprintf("#%d", n)
	}) {
		fmt.Fprintln(h, line)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// lines writes the lines with structs named by ref.
func (s *Schema) lines(ref func(name string) string) []string {
	var lines []string
	for _, f := range s.Fields {
		lines = append(lines, f.format(ref))
	}
	for _, st := range s.Structs {
		prefix := ref(st.Name) + "."
		for _, f := range st.Fields {
			lines = append(lines, prefix+f.format(ref))
		}
	}
	return lines
}

func (f Field) format(ref func(string) string) string {
	text := fieldName(f.Name) + " " + f.Type.format(ref)
	if f.Quoted {
		text += ", as string"
	}
	if f.Optional {
		text += ", may be absent"
	}
	return text
}

// String returns the type as a line has it.
func (t *Type) String() string { return t.format(func(name string) string { return name }) }

func (t *Type) format(ref func(string) string) string {
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
		return "*" + t.Elem.format(ref)
	case List:
		return "[]" + t.Elem.format(ref)
	case Array:
		return "[" + strconv.Itoa(t.Len) + "]" + t.Elem.format(ref)
	case Map:
		key := t.Key.format(ref)
		return "map[" + key + "]" + t.Elem.format(ref)
	case Inline:
		var fields []string
		for _, f := range t.Fields {
			fields = append(fields, f.format(ref))
		}
		return "{" + strings.Join(fields, "; ") + "}"
	case Ref:
		return ref(t.Name)
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
