package wire

import (
	"fmt"
	"math"
	"strconv"
)

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
	return v.raw[tableLength:], true
}

// Is reports whether the value is the given string.
func (v Value) Is(text string) bool {
	s, ok := v.Text()
	return ok && s == text
}

// Int returns an integer of any size.
func (v Value) Int() (n int64, ok bool) {
	r := reader{rest: v.raw}
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

// Seconds returns a time, in Unix seconds.
func (v Value) Seconds() (n int64, ok bool) {
	r := reader{rest: v.raw}
	return int64(r.uint(8)), v.kind == 'T'
}

// FirstTable returns the first element of an array, if that is a table.
func (v Value) FirstTable() (Table, bool) {
	r := reader{rest: v.raw}
	if v.kind != 'A' || r.uint(tableLength) == 0 || r.octet() != 'F' {
		return "", false
	}
	t := r.table()
	return t, r.ok() && t.valid()
}

// Plain returns a string, a number or a boolean as text. Others have no plain
// text.
func (v Value) Plain() (text string, ok bool) {
	if n, ok := v.Int(); ok {
		return strconv.FormatInt(n, 10), true
	}
	r := reader{rest: v.raw}
	switch v.kind {
	case 'S':
		return v.Text()
	case 't':
		return strconv.FormatBool(r.octet() != 0), true
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
