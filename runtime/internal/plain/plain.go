// Package plain encodes and decodes the JSON of plain types: those whose JSON
// leaves nothing to decide. They are strings, booleans, numbers, times, and
// structs, slices and pointers of them, without methods that encode, and without
// options in their tags. The arguments of most tasks are plain, and take half the
// time here that they take in package json of go-json-experiment.
//
// Encoding gives, byte for byte, what package json gives. Decoding takes just
// what encoding gives: all fields, in their order, without a space. Whatever
// else is met, in a type, a value or a body, is left to package json, and so
// are all errors.
package plain

import (
	"encoding"
	stdjson "encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	json "github.com/go-json-experiment/json/v1"
)

// A codec encodes and decodes the values of one plain type.
type codec struct {
	// encode appends v, which is addressable, to b.
	encode func(b []byte, v reflect.Value) ([]byte, bool)

	// decode takes a value from d and sets v, which is zero, to it.
	decode func(d *decoder, v reflect.Value) bool
}

var codecs sync.Map // reflect.Type → *codec, nil for a type that is not

// codecOf returns how t is encoded and decoded, or nil if it is not plain.
func codecOf(t reflect.Type) *codec {
	p, ok := codecs.Load(t)
	if !ok {
		p, _ = codecs.LoadOrStore(t, newCodec(t, nil))
	}
	return p.(*codec)
}

// newCodec is codecOf for a type within the outer ones.
func newCodec(t reflect.Type, outer []reflect.Type) *codec {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return &codec{encodeTime, decodeTime}
	case slices.ContainsFunc(encoders, reflect.PointerTo(t).Implements),
		t == reflect.TypeFor[stdjson.Number](),
		slices.Contains(outer, t):
		return nil
	}
	outer = append(outer, t)
	switch t.Kind() {
	case reflect.String:
		return &codec{encodeString, decodeString}
	case reflect.Bool:
		return &codec{encodeBool, decodeBool}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return &codec{encodeInt, decodeInt}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &codec{encodeUint, decodeUint}
	case reflect.Float32, reflect.Float64:
		return &codec{encodeFloat, decodeFloat}
	case reflect.Pointer:
		if elem := newCodec(t.Elem(), outer); elem != nil {
			p := pointerCodec{elem}
			return &codec{p.encode, p.decode}
		}
	case reflect.Slice:
		if elem := newCodec(t.Elem(), outer); elem != nil && t.Elem().Kind() != reflect.Uint8 { // base64
			s := sliceCodec{elem}
			return &codec{s.encode, s.decode}
		}
	case reflect.Struct:
		if s := newStruct(t, outer); len(s) > 0 {
			return &codec{s.encode, s.decode}
		}
	}
	return nil
}

// encoders are the interfaces of types that encode or decode themselves.
var encoders = []reflect.Type{
	reflect.TypeFor[json.Marshaler](),
	reflect.TypeFor[json.Unmarshaler](),
	reflect.TypeFor[jsonv2.MarshalerTo](),
	reflect.TypeFor[jsonv2.UnmarshalerFrom](),
	reflect.TypeFor[encoding.TextAppender](),
	reflect.TypeFor[encoding.TextMarshaler](),
	reflect.TypeFor[encoding.TextUnmarshaler](),
}

type (
	structCodec  []field
	sliceCodec   struct{ elem *codec }
	pointerCodec struct{ elem *codec }
)

type field struct {
	*codec
	index int
	name  string
	label string // the name with what stands around it: {"name": or ,"name":
}

// newStruct returns the fields of a plain struct.
func newStruct(t reflect.Type, outer []reflect.Type) (fields structCodec) {
	start := `{"`
	for f := range t.Fields() {
		name, tagged := f.Tag.Lookup("json")
		if name == "-" || !f.IsExported() && !f.Anonymous && !tagged {
			continue
		}
		if name == "" {
			name = f.Name
		}
		p := newCodec(f.Type, outer)
		hides := func(other field) bool { return other.name == name }
		if p == nil || !f.IsExported() || f.Anonymous || !simpleName(name) || slices.ContainsFunc(fields, hides) {
			return nil
		}
		fields = append(fields, field{p, f.Index[0], name, start + name + `":`})
		start = `,"`
	}
	return fields
}

// simpleName reports whether the tag of a field may be this: a name, not
// options, that needs no escapes.
func simpleName(tag string) bool {
	return strings.Trim(tag, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}
