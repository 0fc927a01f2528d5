package dtask

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// survives reports what in the value that args points to would not come back from
// its JSON, though its type does in general. dtaskgen has judged the type; here are
// the values that only their own methods know: an offset of a zone that JSON has no
// room for, a text that does not parse, a null for what is not nil.
//
// It looks only at what types with methods of their own may be reached through, and
// costs next to nothing for other types.
func survives(args any) error {
	if err := survive(reflect.ValueOf(args).Elem(), false); err != nil {
		return err
	}
	return nil
}

func survive(v reflect.Value, behindPointer bool) *lostError {
	plan := planOf(v.Type())
	switch {
	case !plan.needed || !v.CanInterface():
		return nil
	case plan.own:
		return comesBack(v, behindPointer)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return survive(v.Elem(), true)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := survive(v.Index(i), false); err != nil {
				return err.in(step{elem: true, index: i})
			}
		}
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			err := keyComesBack(entries.Key())
			if err == nil {
				err = survive(entries.Value(), false)
			}
			if err != nil {
				return err.in(step{key: true, name: fmt.Sprint(entries.Key())})
			}
		}
	case reflect.Struct:
		for _, f := range plan.fields {
			field := v.Field(f.index)
			if f.optional && field.IsZero() {
				continue // it is left out
			}
			if err := survive(field, false); err != nil {
				return err.in(step{name: f.name})
			}
		}
	}
	return nil
}

// A plan says what survive has to look at in values of a type.
type plan struct {
	needed bool // there may be something
	own    bool // the type encodes itself
	fields []planField
}

type planField struct {
	index    int
	name     string
	optional bool
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
	rawMessage    = reflect.TypeFor[json.RawMessage]()

	plans sync.Map // reflect.Type → *plan, of the types that tasks send
)

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := &plan{needed: reachesOwn(t, make(map[reflect.Type]bool)), own: encodesItself(t)}
	if t.Kind() == reflect.Struct && p.needed && !p.own {
		for i := range t.NumField() {
			f := t.Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "-" && options == "" || !reachesOwn(f.Type, make(map[reflect.Type]bool)) {
				continue
			}
			if name == "" {
				name = f.Name
			}
			p.fields = append(p.fields, planField{i, name, strings.Contains(options, "omit")})
		}
	}
	plans.Store(t, p)
	return p
}

// reachesOwn reports whether a value of type t may have one in it that encodes
// itself. seen has the types that are being looked at.
func reachesOwn(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] {
		return false
	}
	seen[t] = true
	if encodesItself(t) {
		return true
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return reachesOwn(t.Elem(), seen)
	case reflect.Map:
		return reachesOwn(t.Key(), seen) || reachesOwn(t.Elem(), seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if f.Tag.Get("json") != "-" && reachesOwn(f.Type, seen) {
				return true
			}
		}
	}
	return false
}

// encodesItself reports whether a type has methods of its own for JSON. A
// [json.RawMessage] is JSON already.
func encodesItself(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface || t == rawMessage {
		return false
	}
	p := reflect.PointerTo(t)
	return p.Implements(jsonMarshaler) || p.Implements(textMarshaler)
}
