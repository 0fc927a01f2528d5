package plain

import (
	"bytes"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	json "github.com/go-json-experiment/json/v1"
)

// Encode returns the JSON of what the pointer args points to. It returns false if the
// type is not plain, or the value cannot be encoded.
func Encode(args any) ([]byte, bool) {
	v := reflect.ValueOf(args).Elem()
	p := codecOf(v.Type())
	if p == nil {
		return nil, false
	}
	buf := buffers.Get().(*[]byte)
	b, ok := p.encode((*buf)[:0], v)
	body := bytes.Clone(b)
	if *buf = b; cap(b) <= maxBuffer {
		buffers.Put(buf)
	}
	return body, ok
}

// maxBuffer keeps the buffer of a rare long body from being held.
const maxBuffer = 64 << 10

var buffers = sync.Pool{New: func() any { return new([]byte) }}

func (s structCodec) encode(b []byte, v reflect.Value) (_ []byte, ok bool) {
	for i := range s {
		f := &s[i]
		b = append(b, f.label...)
		if b, ok = f.codec.encode(b, v.Field(f.index)); !ok {
			return b, false
		}
	}
	return append(b, '}'), true
}

func (s sliceCodec) encode(b []byte, v reflect.Value) (_ []byte, ok bool) {
	if v.IsNil() {
		return append(b, "null"...), true
	}
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		if b, ok = s.elem.encode(b, v.Index(i)); !ok {
			return b, false
		}
	}
	return append(b, ']'), true
}

func (p pointerCodec) encode(b []byte, v reflect.Value) ([]byte, bool) {
	if v.IsNil() {
		return append(b, "null"...), true
	}
	return p.elem.encode(b, v.Elem())
}

func encodeString(b []byte, v reflect.Value) ([]byte, bool) {
	s := v.String()
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&':
			return encodeOther(b, v)
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if !ascii && (!utf8.ValidString(s) || strings.ContainsAny(s, "\u2028\u2029")) {
		return encodeOther(b, v)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"'), true
}

func encodeTime(b []byte, v reflect.Value) ([]byte, bool) {
	b = append(b, '"')
	b, err := v.Addr().Interface().(*time.Time).AppendText(b)
	return append(b, '"'), err == nil
}

func encodeBool(b []byte, v reflect.Value) ([]byte, bool) {
	return strconv.AppendBool(b, v.Bool()), true
}

func encodeInt(b []byte, v reflect.Value) ([]byte, bool) {
	return strconv.AppendInt(b, v.Int(), 10), true
}

func encodeUint(b []byte, v reflect.Value) ([]byte, bool) {
	return strconv.AppendUint(b, v.Uint(), 10), true
}

func encodeFloat(b []byte, v reflect.Value) ([]byte, bool) {
	f := v.Float()
	if a := math.Abs(f); a == 0 || 1e-3 <= a && a <= 1e15 { // no exponent
		return strconv.AppendFloat(b, f, 'f', -1, v.Type().Bits()), true
	}
	return encodeOther(b, v)
}

// encodeOther leaves a value to package json.
func encodeOther(b []byte, v reflect.Value) ([]byte, bool) {
	other, err := json.Marshal(v.Addr().Interface())
	return append(b, other...), err == nil
}
