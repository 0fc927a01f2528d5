package dtask

import (
	"bytes"
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// checkExact reports how the JSON in body differs from what the type that args
// points to encodes to: a field too many, a field missing, a null where a value
// must be. Whether a value fits into its type, say a number into an int8, is left
// to the decoder.
//
// It reads the body once, so that the time it takes grows with the size alone,
// and it stops when ctx ends. The error is of ctx, or an [undecodableError] if the
// body is no JSON that any build makes, or else a [foreignError].
//
// Only messages of another build, or of another language, need it.
//
// If former is not nil, a field may have a name that it had, and former gets to know
// where.
func checkExact(ctx context.Context, body []byte, args any, former *renaming) error {
	e := &exact{ctx: ctx, in: jsontext.NewDecoder(bytes.NewBuffer(body)), fields: make(map[reflect.Type]map[string]wireField), former: former}
	differs, err := e.value(reflect.TypeOf(args).Elem())
	if err == nil {
		if _, err = e.in.ReadToken(); err == io.EOF {
			err = nil
		} else if err == nil {
			err = errors.New("there is more after its JSON")
		}
	}
	switch {
	case err != nil && err == ctx.Err():
		return err
	case err != nil:
		return &undecodableError{fmt.Errorf("the body is not valid JSON: %w", err)}
	case differs != "":
		return &foreignError{errors.New(differs)}
	}
	return nil
}

// An exact compares the JSON that it reads with a type. Its methods return the
// first difference, in words, and read on to the end of the value all the same:
// what follows may be no JSON at all.
type exact struct {
	ctx    context.Context
	in     *jsontext.Decoder
	values int  // that were read
	at     path // of the value that is read
	fields map[reflect.Type]map[string]wireField
	former *renaming // nil if no field may have a name that it had
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// value reads one value that is to be of type t.
func (e *exact) value(t reflect.Type) (differs string, err error) {
	if e.values++; e.values%1024 == 0 {
		if err := e.ctx.Err(); err != nil {
			return "", err
		}
	}
	kind := e.in.PeekKind()
	nullable := false
	for t.Kind() == reflect.Pointer {
		t, nullable = t.Elem(), true
	}
	if decodesItself(t) {
		return "", e.in.SkipValue()
	}
	var want string // the kinds of JSON that fit
	switch t.Kind() {
	case reflect.Struct:
		want = "{"
	case reflect.Map:
		want, nullable = "{", true
	case reflect.Array:
		want = "["
	case reflect.Slice:
		want, nullable = "[", true
		if t.Elem().Kind() == reflect.Uint8 {
			want = `["` // base64
		}
	case reflect.Bool:
		want = "tf"
	case reflect.String:
		want = `"`
	case reflect.Interface:
		return "", e.in.SkipValue()
	default:
		want = "0"
	}
	if kind != jsontext.KindInvalid && !strings.Contains(want, string(kind)) {
		if kind != jsontext.KindNull || !nullable {
			differs = e.mismatch(kind, t)
		}
		return differs, e.in.SkipValue()
	}
	switch kind {
	case jsontext.KindBeginObject:
		if t.Kind() == reflect.Struct {
			return e.object(t)
		}
		return e.mapping(t.Elem())
	case jsontext.KindBeginArray:
		return e.array(t)
	}
	return "", e.in.SkipValue()
}

// array reads an array, for a slice or an array of type t.
func (e *exact) array(t reflect.Type) (differs string, err error) {
	if _, err := e.in.ReadToken(); err != nil {
		return "", err
	}
	n := 0
	for ; more(e.in.PeekKind()); n++ {
		if differs, err = e.inner(step{elem: true, index: n}, t.Elem(), differs); err != nil {
			return "", err
		}
	}
	if t.Kind() == reflect.Array && n != t.Len() {
		differs = fmt.Sprintf("field %s has %d elements, this build wants %d", e.at, n, t.Len())
	}
	_, err = e.in.ReadToken()
	return differs, err
}

// mapping reads an object, for a map with elements of type t.
func (e *exact) mapping(t reflect.Type) (differs string, err error) {
	if _, err := e.in.ReadToken(); err != nil {
		return "", err
	}
	for more(e.in.PeekKind()) {
		key, err := e.in.ReadToken()
		if err != nil {
			return "", err
		}
		if differs, err = e.inner(step{name: key.String(), key: true}, t, differs); err != nil {
			return "", err
		}
	}
	_, err = e.in.ReadToken()
	return differs, err
}

// inner reads a value inside of the one that is read. It is compared, unless a
// difference is known already.
func (e *exact) inner(s step, t reflect.Type, known string) (differs string, err error) {
	if known != "" {
		return known, e.in.SkipValue()
	}
	e.at = append(e.at, s)
	differs, err = e.value(t)
	e.at = e.at[:len(e.at)-1]
	return differs, err
}

// more reports whether a value follows in an object or an array. What is invalid
// does, so that reading it gives the error.
func more(k jsontext.Kind) bool {
	return k != jsontext.KindEndObject && k != jsontext.KindEndArray
}

// decodesItself reports whether a type has a decoder of its own, which decides
// what it takes.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(jsonUnmarshaler) || p.Implements(textUnmarshaler)
}

// mismatch says that a value of this kind is not one of type t.
func (e *exact) mismatch(kind jsontext.Kind, t reflect.Type) string {
	has := map[jsontext.Kind]string{
		'n': "null", 't': "a bool", 'f': "a bool", '"': "a string", '0': "a number", '{': "an object", '[': "an array",
	}[kind]
	if len(e.at) == 0 {
		return fmt.Sprintf("has %s for arguments, this build wants an object", has)
	}
	return fmt.Sprintf("field %s is %s, this build wants %s", e.at, has, t)
}

// A path is the way to a value: others[0].city, byName["k"].
type path []step

// A step is a field, a key of a map, or an element.
type step struct {
	name  string
	key   bool
	elem  bool
	index int
}

// String returns the path as Go writes it, of a long one the beginning.
func (p path) String() string {
	var b strings.Builder
	for _, s := range p {
		switch {
		case b.Len() > longest:
			return clip(b.String())
		case s.key:
			fmt.Fprintf(&b, "[%q]", clip(s.name))
		case s.elem:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(clip(s.name))
		}
	}
	return clip(b.String())
}

// longest is how much of a name or of a path an error has, in bytes.
const longest = 200

// clip returns the beginning of a text that a message of another build has.
func clip(s string) string {
	if len(s) <= longest {
		return s
	}
	return strings.ToValidUTF8(s[:longest], "") + "…"
}
