// Package schema holds what a value looks like in JSON, as text that people can
// read: in generated files, in dtask.lock and in reports. It parses that text,
// takes its fingerprint, and judges what a change of it means for messages on
// their way.
//
//	to string
//	user User
//	User.name string
//	User.friends []*User
//	User.born time.Time, may be absent
//	User.mail string, was email
//	User.token string, secret
//
// Every line is a field and its type. The fields of a struct follow where the
// struct is first mentioned. Type says how types are written.
package schema

import "slices"

// A Schema is the fields of a value, and of the structs that they lead to.
type Schema struct {
	Fields  []Field
	Structs []Struct // in the order in which they are first mentioned
}

// A Struct is a named struct.
type Struct struct {
	Name   string
	Fields []Field
}

// A Field is a member of a JSON object.
type Field struct {
	Name     string // in JSON
	Type     *Type
	Quoted   bool // its value stands in a string: the option "string" of its tag
	Optional bool // it may be absent: omitempty or omitzero
	Secret   bool // it is not shown to people; the same message all the same

	// Was are names that it had, as its tag says. They are no part of the fingerprint,
	// as they change no message.
	Was []string
}

// A Kind is a way to write a type.
type Kind int

// The kinds, with examples.
const (
	Basic    Kind = iota // int64, string, bool
	Time                 // time.Time: text by RFC 3339
	Duration             // time.Duration: nanoseconds
	Bytes                // base64: a []byte
	JSON                 // JSON of encoding/json.RawMessage: what its methods write
	Text                 // text of net/netip.Addr: a string that its methods write
	Pointer              // *T: T or null
	List                 // []T
	Array                // [3]T
	Map                  // map[K]T
	Inline               // {name string; age int}: a struct without a name
	Ref                  // User: a struct whose fields have lines of their own
	Outer                // ^1: the type one further out, as in type Tree map[string]Tree
)

// A Type is the type of a value.
type Type struct {
	Kind   Kind
	Name   string // of Basic, JSON, Text and Ref
	Len    int    // of Array; how far out for Outer
	Key    *Type  // of Map
	Elem   *Type  // of Pointer, List, Array and Map
	Fields []Field
}

// Struct returns the fields of a named struct, which may have none.
func (s *Schema) Struct(name string) []Field {
	for _, st := range s.Structs {
		if st.Name == name {
			return st.Fields
		}
	}
	return nil
}

// fields returns the fields of a struct type.
func (s *Schema) fields(t *Type) []Field {
	if t.Kind == Ref {
		return s.Struct(t.Name)
	}
	return t.Fields
}

// HasRaw reports whether there is a value of whose JSON the schema says nothing.
func (s *Schema) HasRaw() bool {
	raw := anyRaw(s.Fields)
	for _, st := range s.Structs {
		raw = raw || anyRaw(st.Fields)
	}
	return raw
}

func anyRaw(fields []Field) bool {
	return slices.ContainsFunc(fields, func(f Field) bool { return f.Type.hasRaw() })
}

func (t *Type) hasRaw() bool {
	return t.Kind == JSON || t.Kind == Outer || t.Elem != nil && t.Elem.hasRaw() || anyRaw(t.Fields)
}

// References returns the names of the structs that the schema mentions, in that
// order. Some may have no fields.
func (s *Schema) References() []string {
	var names []string
	s.lines(style{ref: func(name string) string {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		return name
	}})
	return names
}
