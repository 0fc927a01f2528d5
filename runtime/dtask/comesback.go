package dtask

import (
	"bytes"
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"time"

	json "github.com/go-json-experiment/json/v1"
)

// comesBack reports why a value of a type that encodes itself does not come back.
func comesBack(v reflect.Value, behindPointer bool) *lostError {
	v = addressable(v)
	if t, ok := v.Addr().Interface().(*time.Time); ok {
		return offsetComesBack(*t)
	}
	text, err := json.Marshal(v.Addr().Interface())
	if err != nil {
		return lost(v, err.Error())
	}
	if behindPointer && string(text) == "null" {
		return lost(v, "its pointer is not nil, but its JSON is null, which comes back as nil; pass nil, or the value without a pointer")
	}
	back := reflect.New(v.Type())
	if err := json.Unmarshal(text, back.Interface()); err != nil {
		return lost(v, fmt.Sprintf("its JSON is %s, which does not decode: %v", clip(string(text)), err))
	}
	again, err := json.Marshal(back.Interface())
	// The same value may have several texts, as where a method walks over a map.
	equal := bytes.Equal(text, again) || reflect.DeepEqual(v.Interface(), back.Elem().Interface())
	if !same(v, back.Elem()) || err != nil || !equal {
		return lost(v, fmt.Sprintf("its JSON is %s, which comes back as another value", clip(string(text))))
	}
	return nil
}

// keyComesBack reports why a key of a map does not come back. Those that are no
// strings or integers are encoded by their methods for text.
func keyComesBack(key reflect.Value) *lostError {
	if !encodesItself(key.Type()) {
		return nil
	}
	key = addressable(key)
	if t, ok := key.Addr().Interface().(*time.Time); ok {
		return offsetComesBack(*t)
	}
	back := reflect.New(key.Type())
	marshaler, encodes := key.Addr().Interface().(encoding.TextMarshaler)
	unmarshaler, decodes := back.Interface().(encoding.TextUnmarshaler)
	if !encodes || !decodes {
		return nil
	}
	text, err := marshaler.MarshalText()
	if err != nil {
		return lost(key, err.Error())
	}
	if err := unmarshaler.UnmarshalText(text); err != nil {
		return lost(key, fmt.Sprintf("its text is %q, which does not decode: %v", clip(string(text)), err))
	}
	// A key that keeps its text cannot become equal to another one.
	again, err := back.Interface().(encoding.TextMarshaler).MarshalText()
	if !same(key, back.Elem()) || err != nil || !bytes.Equal(text, again) {
		return lost(key, fmt.Sprintf("its text is %q, which comes back as another value", clip(string(text))))
	}
	return nil
}

// offsetComesBack reports whether the text of a time is of the same instant: it
// has no seconds of an offset, as zones had them in the 19th century.
func offsetComesBack(t time.Time) *lostError {
	if _, offset := t.Zone(); offset%60 != 0 {
		return lost(reflect.ValueOf(t), "the offset of its zone has seconds, which JSON has no room for; pass its UTC()")
	}
	return nil
}

// same reports whether the value that came back is the one that was sent, as far
// as its type says what is the same. Of a type without a method Equal nobody can tell:
// its values count as the same.
func same(sent, back reflect.Value) bool {
	equal := sent.Addr().MethodByName("Equal")
	if equal.IsValid() && equal.Type().NumIn() == 1 && equal.Type().NumOut() == 1 && equal.Type().Out(0).Kind() == reflect.Bool {
		in := equal.Type().In(0)
		switch {
		case in == back.Type():
			return equal.Call([]reflect.Value{back})[0].Bool()
		case in == reflect.PointerTo(back.Type()):
			return equal.Call([]reflect.Value{back.Addr()})[0].Bool()
		case back.Kind() == reflect.Struct && back.NumField() == 1 && back.Type().Field(0).Anonymous && in == back.Field(0).Type():
			return equal.Call([]reflect.Value{back.Field(0)})[0].Bool() // of the embedded type
		}
	}
	return !shortText[sent.Type()] || reflect.DeepEqual(sent.Addr().Interface(), back.Addr().Interface())
}

// shortText holds the types of the standard library whose text does not say all,
// and that have no method Equal: a regular expression that prefers the longest
// match, as those of POSIX do, has the text of one that does not, and a port without
// an address has none.
var shortText = map[reflect.Type]bool{
	reflect.TypeFor[regexp.Regexp]():  true,
	reflect.TypeFor[netip.AddrPort](): true,
}

// addressable returns v, or a copy of it whose methods with pointer receivers can
// be called.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	p := reflect.New(v.Type()).Elem()
	p.Set(v)
	return p
}

// A lostError says which value does not come back. Its path is that of the value,
// from the inside out, and is made only if there is an error.
type lostError struct {
	at     path
	typ    reflect.Type
	reason string
}

func lost(v reflect.Value, reason string) *lostError {
	return &lostError{typ: v.Type(), reason: reason}
}

// in returns the error with one more step of its path.
func (e *lostError) in(s step) *lostError {
	e.at = append(e.at, s)
	return e
}

func (e *lostError) Error() string {
	if len(e.at) == 0 {
		return fmt.Sprintf("%s: %s", e.typ, e.reason)
	}
	at := slices.Clone(e.at)
	slices.Reverse(at)
	return fmt.Sprintf("%s (%s): %s", at, e.typ, e.reason)
}
