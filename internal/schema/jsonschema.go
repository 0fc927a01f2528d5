package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
)

// JSONSchema returns the schema as a JSON Schema of the version 2020-12
// (https://json-schema.org/draft/2020-12/json-schema-core), for producers in other
// languages and for forms. It describes one value: an object with the fields. Like a
// worker, it takes no field that it does not know.
//
// What it cannot say it leaves open: JSON and texts that a type writes with methods of
// its own, and types that contain themselves without a struct.
func (s *Schema) JSONSchema(title string) []byte { return s.document(title, objectOf(s.Fields)) }

// FieldSchema returns the JSON Schema of the value of the first field alone.
func (s *Schema) FieldSchema(title string) []byte { return s.document(title, valueOf(s.Fields[0])) }

func (s *Schema) document(title string, value object) []byte {
	root := object{{"$schema", "https://json-schema.org/draft/2020-12/schema"}, {"title", title}}
	root = append(root, value...)
	var defs object
	for _, name := range s.References() {
		defs = append(defs, member{name, objectOf(s.Struct(name))})
	}
	if defs != nil {
		root = append(root, member{"$defs", defs})
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, root.marshal(), "", "\t"); err != nil {
		panic(err) // impossible: marshal writes JSON
	}
	indented.WriteByte('\n')
	return indented.Bytes()
}

// objectOf describes a struct.
func objectOf(fields []Field) object {
	properties, required := object{}, []string{}
	for _, f := range fields {
		value := valueOf(f)
		if f.Secret {
			value = append(value, member{"x-dtask-secret", true})
		}
		properties = append(properties, member{f.Name, value})
		if !f.Optional {
			required = append(required, f.Name)
		}
	}
	return object{
		{"type", "object"},
		{"properties", properties},
		{"required", required},
		{"additionalProperties", false},
	}
}

func valueOf(f Field) object {
	if f.Quoted {
		return quotedOf(f.Type)
	}
	return typeOf(f.Type)
}

// quotedOf describes a value that stands in a string.
func quotedOf(t *Type) object {
	if t.Kind == Pointer {
		return orNull(quotedOf(t.Elem))
	}
	return object{{"type", "string"}, {"$comment", t.String() + ", in a string"}}
}

// typeOf describes the values of a type. Lists, maps and bytes may be null: that is
// how Go writes nil.
func typeOf(t *Type) object {
	switch t.Kind {
	case Time:
		return object{{"type", "string"}, {"format", "date-time"}}
	case Duration:
		return append(integer(numbers["int64"]), member{"$comment", "nanoseconds"})
	case Bytes:
		return object{{"type", []string{"string", "null"}}, {"contentEncoding", "base64"}}
	case JSON:
		return object{{"$comment", "as " + t.Name + " encodes itself"}}
	case Text:
		return object{{"type", "string"}, {"$comment", "as " + t.Name + " encodes itself"}}
	case Pointer:
		return orNull(typeOf(t.Elem))
	case List:
		return object{{"type", []string{"array", "null"}}, {"items", typeOf(t.Elem)}}
	case Array:
		return object{{"type", "array"}, {"items", typeOf(t.Elem)}, {"minItems", t.Len}, {"maxItems", t.Len}}
	case Map:
		m := object{{"type", []string{"object", "null"}}, {"additionalProperties", typeOf(t.Elem)}}
		if n := numbers[t.Key.Name]; n.bits > 0 {
			m = append(m, member{"propertyNames", object{{"pattern", "^-?[0-9]+$"}}})
		}
		return m
	case Inline:
		return objectOf(t.Fields)
	case Ref:
		return object{{"$ref", "#/$defs/" + pointerEscape(t.Name)}}
	case Outer:
		return object{{"$comment", "the type that this one is part of"}}
	}
	switch n := numbers[t.Name]; {
	case n.float:
		return object{{"type", "number"}}
	case n.bits > 0:
		return integer(n)
	case t.Name == "bool":
		return object{{"type", "boolean"}}
	}
	return object{{"type", "string"}}
}

func orNull(o object) object { return object{{"anyOf", []object{o, {{"type", "null"}}}}} }

// integer describes an integer with its bounds.
func integer(n number) object {
	bits := uint(n.bits)
	least, most := new(big.Int), new(big.Int).Lsh(big.NewInt(1), bits)
	if !n.unsigned {
		most.Rsh(most, 1)
		least.Neg(most)
	}
	most.Sub(most, big.NewInt(1))
	return object{{"type", "integer"}, {"minimum", json.Number(least.String())}, {"maximum", json.Number(most.String())}}
}

// pointerEscape escapes a name for a reference: as a JSON pointer (RFC 6901), in the
// fragment of a URI (RFC 3986).
func pointerEscape(name string) string {
	var b bytes.Buffer
	for _, c := range []byte(name) {
		switch {
		case c == '~':
			b.WriteString("~0")
		case c == '/':
			b.WriteString("~1")
		case c == '.' || c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// An object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements [json.Marshaler].
func (o object) MarshalJSON() ([]byte, error) { return o.marshal(), nil }

func (o object) marshal() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(m.name)
		value, err := json.Marshal(m.value)
		if err != nil {
			panic(err) // impossible: there are strings, numbers, lists and objects
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes()
}
