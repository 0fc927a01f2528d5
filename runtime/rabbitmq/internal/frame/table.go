package frame

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"strconv"
)

// A Table is a field table in its encoded form, without the length in front:
// the headers of a message, or the arguments of a method. The empty string is
// an empty table.
type Table string

// A Builder makes a table. The zero value is an empty one.
type Builder struct{ b []byte }

// Table returns what was built.
func (t *Builder) Table() Table { return Table(t.b) }

// Text adds a field that holds a string.
func (t *Builder) Text(name, text string) {
	t.b = append(AppendShort(t.b, name), 'S')
	t.b = appendLong(t.b, text)
}

// Int adds a field that holds an integer.
func (t *Builder) Int(name string, n int64) {
	t.b = append(AppendShort(t.b, name), 'l')
	t.b = binary.BigEndian.AppendUint64(t.b, uint64(n))
}

// Time adds a field that holds a time, in Unix seconds.
func (t *Builder) Time(name string, seconds int64) {
	t.b = append(AppendShort(t.b, name), 'T')
	t.b = binary.BigEndian.AppendUint64(t.b, uint64(seconds))
}

// Texts adds a field that holds an array of strings.
func (t *Builder) Texts(name string, texts ...string) {
	t.b = append(AppendShort(t.b, name), 'A', 0, 0, 0, 0)
	start := len(t.b)
	for _, s := range texts {
		t.b = appendLong(append(t.b, 'S'), s)
	}
	binary.BigEndian.PutUint32(t.b[start-tableLengthBytes:], uint32(len(t.b)-start))
}

// Value adds a field that holds a value of another table.
func (t *Builder) Value(name string, v Value) {
	t.b = append(AppendShort(t.b, name), v.kind)
	t.b = append(t.b, v.raw...)
}

func appendLong(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}

// Append appends the table as it stands in a method's arguments.
func (t Table) Append(b []byte) []byte { return appendLong(b, string(t)) }

// All returns the fields.
func (t Table) All() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		for rest := t; rest != ""; {
			name, v, next, ok := rest.next()
			if !ok || !yield(name, v) {
				return
			}
			rest = next
		}
	}
}

// Get returns the field with the given name. There is no such field if it is
// not OK.
func (t Table) Get(name string) (v Value, ok bool) {
	for n, v := range t.All() {
		if n == name {
			return v, true
		}
	}
	return Value{}, false
}

// valid reports whether the table can be read to its end.
func (t Table) valid() bool {
	for ok := true; t != ""; {
		if _, _, t, ok = t.next(); !ok {
			return false
		}
	}
	return true
}

// next splits the first field off.
func (t Table) next() (name string, v Value, rest Table, ok bool) {
	r := Reader{rest: string(t)}
	name = r.Short()
	v.kind = r.Octet()
	switch v.kind {
	case 'V':
	case 't', 'b', 'B':
		v.raw = r.take(1)
	case 's', 'u':
		v.raw = r.take(2)
	case 'I', 'i', 'f':
		v.raw = r.take(4)
	case 'D':
		v.raw = r.take(5)
	case 'l', 'd', 'T':
		v.raw = r.take(8)
	case 'S', 'x', 'A', 'F':
		start := r.rest
		n := int(r.uint(tableLengthBytes))
		r.take(n)
		if r.OK() {
			v.raw = start[:tableLengthBytes+n]
		}
	default:
		return "", Value{}, "", false
	}
	return name, v, Table(r.rest), r.OK()
}

// A Value is the value of a field.
type Value struct {
	kind byte
	raw  string
}

// IsNull reports whether there is no value.
func (v Value) IsNull() bool { return v.kind == 'V' }

// Text returns a string.
func (v Value) Text() (text string, ok bool) {
	if v.kind != 'S' {
		return "", false
	}
	return v.raw[tableLengthBytes:], true
}

// Is reports whether the value is the given string.
func (v Value) Is(text string) bool {
	s, ok := v.Text()
	return ok && s == text
}

// Int returns an integer of any size.
func (v Value) Int() (n int64, ok bool) {
	r := Reader{rest: v.raw}
	switch v.kind {
	case 'b':
		return int64(int8(r.uint(1))), true
	case 's':
		return int64(int16(r.uint(2))), true
	case 'I':
		return int64(int32(r.uint(4))), true
	case 'l':
		return int64(r.uint(8)), true
	case 'B', 'u', 'i':
		return int64(r.uint(len(v.raw))), true
	}
	return 0, false
}

// Plain returns a string, a number or a boolean as text. Others have no plain
// text.
func (v Value) Plain() (text string, ok bool) {
	if n, ok := v.Int(); ok {
		return strconv.FormatInt(n, 10), true
	}
	r := Reader{rest: v.raw}
	switch v.kind {
	case 'S':
		return v.Text()
	case 't':
		return strconv.FormatBool(r.Octet() != 0), true
	case 'f':
		return fmt.Sprint(math.Float32frombits(uint32(r.uint(4)))), true
	case 'd':
		return fmt.Sprint(math.Float64frombits(r.uint(8))), true
	}
	return "", false
}

// Kind names the type of the value, for errors.
func (v Value) Kind() string {
	switch v.kind {
	case 'V':
		return "null"
	case 't':
		return "boolean"
	case 'f', 'd':
		return "floating-point number"
	case 'D':
		return "decimal number"
	case 'S':
		return "string"
	case 'x':
		return "byte array"
	case 'A':
		return "array"
	case 'F':
		return "table"
	case 'T':
		return "timestamp"
	}
	return "integer"
}
