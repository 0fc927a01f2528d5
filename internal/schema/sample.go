package schema

import (
	"encoding/json"
	"slices"
	"strconv"
)

// Sample returns a value of the schema in JSON, an object with all fields, for a test to
// begin with. Nobody knows what the opaque values in it may be.
func (s *Schema) Sample() []byte {
	return (&sampler{schema: s}).object(s.Fields)
}

type sampler struct {
	schema *Schema
	open   []string // structs around the value: a list of one of them is empty
}

func (s *sampler) object(fields []Field) []byte {
	text := []byte{'{'}
	for i, f := range fields {
		if i > 0 {
			text = append(text, ',')
		}
		name, _ := json.Marshal(f.Name) // a string can be written
		text = append(append(text, name...), ':')
		value := s.value(f.Type)
		if f.Quoted {
			value, _ = json.Marshal(string(value))
		}
		text = append(text, value...)
	}
	return append(text, '}')
}

func (s *sampler) value(t *Type) []byte {
	switch t.Kind {
	case Time:
		return []byte(`"2026-01-02T03:04:05Z"`)
	case Duration:
		return []byte("1000000000")
	case Bytes:
		return []byte(`"dGV4dA=="`)
	case Text:
		return []byte(`"text"`)
	case Pointer:
		if s.within(t.Elem) {
			return []byte("null")
		}
		return s.value(t.Elem)
	case List:
		if s.within(t.Elem) {
			return []byte("[]")
		}
		return slices.Concat([]byte{'['}, s.value(t.Elem), []byte{']'})
	case Array:
		text := []byte{'['}
		for i := range t.Len {
			if i > 0 {
				text = append(text, ',')
			}
			text = append(text, s.value(t.Elem)...)
		}
		return append(text, ']')
	case Map:
		if s.within(t.Elem) {
			return []byte("{}")
		}
		key := `"text"`
		if t.Key.Kind == Basic && t.Key.Name != "string" {
			key = `"1"`
		}
		return slices.Concat([]byte("{"+key+":"), s.value(t.Elem), []byte{'}'})
	case Inline:
		return s.object(t.Fields)
	case Ref:
		s.open = append(s.open, t.Name)
		text := s.object(s.schema.Struct(t.Name))
		s.open = s.open[:len(s.open)-1]
		return text
	case Basic:
		switch n := numbers[t.Name]; {
		case n.float:
			return []byte("1.5")
		case n.bits > 0:
			return []byte(strconv.Itoa(1))
		case t.Name == "bool":
			return []byte("true")
		}
		return []byte(`"text"`)
	}
	return []byte("null") // JSON, Outer
}

// within reports whether a type leads back into a struct that is being written.
func (s *sampler) within(t *Type) bool {
	for t.Elem != nil {
		t = t.Elem
	}
	return t.Kind == Outer || t.Kind == Ref && slices.Contains(s.open, t.Name)
}
