package plain

import (
	"hash/maphash"
	"reflect"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Decode sets the zero value that the pointer args points to. It returns false,
// and sets nothing, if the type is not plain, or the body not what Encode gives.
func Decode(body []byte, args any) bool {
	v := reflect.ValueOf(args).Elem()
	p := codecOf(v.Type())
	if p == nil {
		return false
	}
	d := decoders.Get().(*decoder)
	d.rest = body
	ok := p.decode(d, v) && len(d.rest) == 0
	d.rest = nil
	decoders.Put(d)
	if !ok {
		v.SetZero()
	}
	return ok
}

// A decoder decodes one body after the other.
type decoder struct {
	rest []byte // of the body

	// strings holds some of the last short ones. Arguments repeat themselves,
	// within a body and from one to the next, and what repeats need not be
	// allocated again; package json does the same.
	strings [256]string
}

var (
	decoders   = sync.Pool{New: func() any { return new(decoder) }}
	stringSeed = maphash.MakeSeed()
)

// cut takes the prefix, if it comes next.
func (d *decoder) cut(prefix string) bool {
	if len(d.rest) < len(prefix) || string(d.rest[:len(prefix)]) != prefix {
		return false
	}
	d.rest = d.rest[len(prefix):]
	return true
}

// number takes a number without an exponent, if one comes next.
func (d *decoder) number() (number []byte) {
	n := numberLen(d.rest)
	number, d.rest = d.rest[:n], d.rest[n:]
	return number
}

// literal takes a string in its quotes, if one comes next, and reports whether
// what stands between them is the string itself.
func (d *decoder) literal() (literal []byte, simple bool) {
	n, simple := literalLen(d.rest)
	literal, d.rest = d.rest[:n], d.rest[n:]
	return literal, simple
}

// string returns b as a string.
func (d *decoder) string(b []byte) string {
	if len(b) > 64 {
		return string(b)
	}
	recent := &d.strings[maphash.Bytes(stringSeed, b)%uint64(len(d.strings))]
	if *recent != string(b) {
		*recent = string(b)
	}
	return *recent
}

func (s structCodec) decode(d *decoder, v reflect.Value) bool {
	for i := range s {
		f := &s[i]
		if !d.cut(f.label) || !f.codec.decode(d, v.Field(f.index)) {
			return false
		}
	}
	return d.cut("}")
}

func (s sliceCodec) decode(d *decoder, v reflect.Value) bool {
	if d.cut("null") {
		return true
	}
	if d.cut("[]") {
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		return true
	}
	if !d.cut("[") {
		return false
	}
	for n := 0; n == 0 || d.cut(","); n++ {
		if n == v.Cap() {
			v.Grow(4)
		}
		v.SetLen(n + 1)
		if !s.elem.decode(d, v.Index(n)) {
			return false
		}
	}
	return d.cut("]")
}

func (p pointerCodec) decode(d *decoder, v reflect.Value) bool {
	if d.cut("null") {
		return true
	}
	v.Set(reflect.New(v.Type().Elem()))
	return p.elem.decode(d, v.Elem())
}

func decodeString(d *decoder, v reflect.Value) bool {
	literal, simple := d.literal()
	if simple {
		v.SetString(d.string(literal[1 : len(literal)-1]))
		return true
	}
	s, err := jsontext.AppendUnquote(nil, literal)
	v.SetString(string(s))
	return err == nil
}

func decodeTime(d *decoder, v reflect.Value) bool {
	literal, simple := d.literal()
	return simple && v.Addr().Interface().(*time.Time).UnmarshalJSON(literal) == nil
}

func decodeBool(d *decoder, v reflect.Value) bool {
	if d.cut("true") {
		v.SetBool(true)
		return true
	}
	return d.cut("false")
}

func decodeInt(d *decoder, v reflect.Value) bool {
	i, err := strconv.ParseInt(string(d.number()), 10, v.Type().Bits())
	v.SetInt(i)
	return err == nil
}

func decodeUint(d *decoder, v reflect.Value) bool {
	u, err := strconv.ParseUint(string(d.number()), 10, v.Type().Bits())
	v.SetUint(u)
	return err == nil
}

func decodeFloat(d *decoder, v reflect.Value) bool {
	f, err := strconv.ParseFloat(string(d.number()), v.Type().Bits())
	v.SetFloat(f)
	return err == nil
}

// literalLen returns the length of the string, in its quotes, that b begins
// with, or 0.
func literalLen(b []byte) (n int, simple bool) {
	if len(b) == 0 || b[0] != '"' {
		return 0, false
	}
	ascii := true
	simple = true
	for i := 1; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i + 1, simple && (ascii || utf8.Valid(b[1:i]))
		case c == '\\':
			simple = false
			i++ // maybe a quote
		case c < ' ':
			simple = false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return 0, false
}

// numberLen returns the length of the number that b begins with, of one
// without an exponent, or 0.
func numberLen(b []byte) int {
	digits := func(i int) int {
		for i < len(b) && '0' <= b[i] && b[i] <= '9' {
			i++
		}
		return i
	}
	start := 0
	if len(b) > 0 && b[0] == '-' {
		start = 1
	}
	n := digits(start)
	if n == start || b[start] == '0' && n > start+1 {
		return 0
	}
	if n < len(b) && b[n] == '.' {
		end := digits(n + 1)
		if end == n+1 {
			return 0
		}
		return end
	}
	return n
}
