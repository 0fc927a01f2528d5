package wire

import (
	"encoding/binary"
	"iter"
)

// tableLength is the size of the length in front of tables, arrays and strings.
const tableLength = 4

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
	t.b = append(appendShort(t.b, name), 'S')
	t.b = appendLong(t.b, text)
}

// Int adds a field that holds an integer.
func (t *Builder) Int(name string, n int64) {
	t.b = append(appendShort(t.b, name), 'l')
	t.b = binary.BigEndian.AppendUint64(t.b, uint64(n))
}

// Time adds a field that holds a time, in Unix seconds.
func (t *Builder) Time(name string, seconds int64) {
	t.b = append(appendShort(t.b, name), 'T')
	t.b = binary.BigEndian.AppendUint64(t.b, uint64(seconds))
}

// Texts adds a field that holds an array of strings.
func (t *Builder) Texts(name string, texts ...string) {
	t.b = append(appendShort(t.b, name), 'A', 0, 0, 0, 0)
	start := len(t.b)
	for _, s := range texts {
		t.b = appendLong(append(t.b, 'S'), s)
	}
	binary.BigEndian.PutUint32(t.b[start-tableLength:], uint32(len(t.b)-start))
}

// Value adds a field that holds a value of another table.
func (t *Builder) Value(name string, v Value) {
	t.b = append(appendShort(t.b, name), v.kind)
	t.b = append(t.b, v.raw...)
}

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
	r := reader{rest: string(t)}
	name = r.short()
	v.kind = r.octet()
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
		n := int(r.uint(tableLength))
		r.take(n)
		if r.ok() {
			v.raw = start[:tableLength+n]
		}
	default:
		return "", Value{}, "", false
	}
	return name, v, Table(r.rest), r.ok()
}
