package jsonwire

import (
	"fmt"
	"go/types"
	"strings"

	"github.com/dtaskhq/dtask/internal/schema"
)

// typ describes a type.
func (d *description) typ(t types.Type) *schema.Type {
	t = types.Unalias(t)
	switch {
	case isTime(t):
		return &schema.Type{Kind: schema.Time}
	case isNamed(t, "time", "Duration"):
		return &schema.Type{Kind: schema.Duration}
	}
	if c := d.codecOf(t); c.own() {
		// Nobody knows what its methods write.
		kind := schema.JSON
		if c.text {
			kind = schema.Text
		}
		return &schema.Type{Kind: kind, Name: unquoted(types.TypeString(t, nil))}
	}
	if outer := d.enter(t); outer > 0 {
		return &schema.Type{Kind: schema.Outer, Len: outer}
	}
	defer d.leave(t)
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return &schema.Type{Kind: schema.Basic, Name: types.Typ[u.Kind()].Name()} // byte is uint8
	case *types.Pointer:
		return &schema.Type{Kind: schema.Pointer, Elem: d.typ(u.Elem())}
	case *types.Slice:
		if b, ok := u.Elem().Underlying().(*types.Basic); ok && b.Kind() == types.Byte && !d.codecOf(types.Unalias(u.Elem())).own() {
			return &schema.Type{Kind: schema.Bytes}
		}
		return &schema.Type{Kind: schema.List, Elem: d.typ(u.Elem())}
	case *types.Array:
		return &schema.Type{Kind: schema.Array, Len: int(u.Len()), Elem: d.typ(u.Elem())}
	case *types.Map:
		key := d.typ(u.Key())
		return &schema.Type{Kind: schema.Map, Key: key, Elem: d.typ(u.Elem())}
	case *types.Struct:
		if named, ok := t.(*types.Named); ok {
			return d.reference(named, u)
		}
		return &schema.Type{Kind: schema.Inline, Fields: d.fields(u)}
	}
	// It has a flaw, which is reported.
	return &schema.Type{Kind: schema.Ref, Name: unquoted(types.TypeString(t, nil))}
}

// unquoted returns a type without the quotes that tags of structs in it have.
func unquoted(t string) string { return strings.NewReplacer(`"`, "'", "`", "'").Replace(t) }

// enter opens a named type that is written out. If it is open already, as in
//
//	type Tree map[string]Tree
//
// it returns how many types further out it is.
func (d *description) enter(t types.Type) (outer int) {
	if !writtenOut(t) {
		return 0
	}
	for i, open := range d.open {
		if types.Identical(open, t) {
			return len(d.open) - i
		}
	}
	d.open = append(d.open, t)
	return 0
}

func (d *description) leave(t types.Type) {
	if writtenOut(t) {
		d.open = d.open[:len(d.open)-1]
	}
}

// writtenOut reports whether a named type is written out, and not as a
// reference.
func writtenOut(t types.Type) bool {
	_, named := t.(*types.Named)
	_, structure := t.Underlying().(*types.Struct)
	return named && !structure
}

// reference returns the name of a struct, whose fields follow later.
func (d *description) reference(t *types.Named, st *types.Struct) *schema.Type {
	if ref := d.refs.At(t); ref != nil {
		return &schema.Type{Kind: schema.Ref, Name: ref.(string)}
	}
	plain := unquoted(d.typeString(t))
	name := plain
	for n := 2; d.names[name]; n++ {
		name = fmt.Sprintf("%s#%d", plain, n)
	}
	d.names[name] = true
	d.refs.Set(t, name)
	d.pending = append(d.pending, pendingStruct{name, st})
	return &schema.Type{Kind: schema.Ref, Name: name}
}
