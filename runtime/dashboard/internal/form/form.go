// Package form turns the arguments of a task into the fields of an HTML form, by their
// schema, and what is sent of it back into JSON. A number stays the text that it is from
// end to end.
//
// Everything works without script: buttons that add or remove an element send the form,
// and get it back with one more or less. form.go has the fields, read.go reads what was
// sent, and leaf.go is about single values.
package form

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/dtaskhq/dtask/internal/schema"
)

// The names of what is sent beside the values.
const (
	Add     = "form-add"     // the path of a list that gets one more element, or of what is null
	Remove  = "form-remove"  // the path of what is to go, or be null
	Replace = "form-replace" // the path of a secret that gets a new value
	prefix  = "form-value:"  // before a path: a value
	kept    = "form-state:"  // before a path: how many elements there are, or null, or absent
)

// The states of what may be there or not.
const (
	isNull   = "null"
	isAbsent = "absent"
	isSet    = "set"
)

// A Field is a part of a form.
type Field struct {
	Path   string
	Label  string
	Type   string // as in Go
	Input  string // text, long, number, bool, json, secret, group, list, or nothing: it is null
	Value  string
	Hint   string
	Error  string
	Fields []Field // of a group or a list

	State   string // sent along: the number of elements, null, absent, set; or ""
	CanGo   bool   // it can be removed, or be null
	Removes string // the words for that
	Adds    string // the words for one more, or for a value in place of null
}

// Name is the name of the input of the value.
func (f Field) Name() string { return prefix + f.Path }

// Flat reports whether all of a list are texts of a line, as most lists are.
func (f Field) Flat() bool {
	for _, e := range f.Fields {
		if e.Input != "text" && e.Input != "number" || e.State != "" || e.Hint != "" {
			return false
		}
	}
	return true
}

// StateName is the name of the hidden input of the state.
func (f Field) StateName() string { return kept + f.Path }

// Fields returns the form of a JSON object. A text that begins with the mark stands for a
// secret; mark is empty if there is none. errors are those of Read, by path.
func Fields(s *schema.Schema, object []byte, mark string, errors map[string]string) []Field {
	w := writer{s, mark, errors}
	return w.object("", s.Fields, object)
}

type writer struct {
	schema *schema.Schema
	mark   string
	errors map[string]string
}

// object returns the fields of a struct.
func (w writer) object(path string, fields []schema.Field, raw []byte) (list []Field) {
	members, _ := membersOf(raw)
	for _, f := range fields {
		value, there := members.get(f.Name)
		if !there {
			value = nil
		}
		list = append(list, w.field(join(path, f.Name), f, value))
	}
	for _, m := range members {
		if !hasField(fields, m.name) {
			p := join(path, m.name)
			list = append(list, Field{
				Path: p, Label: m.name, Input: "json", Value: w.typed(p, m.raw), Error: w.errors[p],
				Hint: "This build has no such field.", CanGo: true, Removes: "Remove",
			})
		}
	}
	return list
}

// field returns the field of a value; nil is one that is absent.
func (w writer) field(path string, f schema.Field, raw []byte) Field {
	t := f.Type
	out := Field{Path: path, Label: f.Name, Type: t.String(), Error: w.errors[path]}
	if f.Secret {
		out.Type += ", secret"
	}
	switch {
	case f.Secret && w.isMark(raw):
		out.Input, out.Value = "secret", text(raw)
		return out
	case raw == nil && f.Optional:
		out.State, out.Adds = isAbsent, "Fill in"
		if scalar(inner(t)) {
			return w.leaf(out, inner(t), f.Quoted, nil, "Empty is left out")
		}
		return out
	case f.Optional:
		out.CanGo, out.Removes, out.State = !scalar(inner(t)), "Leave out", isSet
	}
	hint := ""
	if f.Optional && scalar(inner(t)) {
		hint = "Empty is left out"
	}
	return w.value(out, t, f.Quoted, raw, hint)
}

// value completes the field of a value.
func (w writer) value(out Field, t *schema.Type, quoted bool, raw []byte, hint string) Field {
	null := raw == nil || string(raw) == "null"
	switch t.Kind {
	case schema.Pointer:
		elem := inner(t)
		switch {
		case scalar(elem) && hint == "":
			return w.leaf(out, elem, quoted, raw, "Empty is null")
		case scalar(elem):
			return w.leaf(out, elem, quoted, raw, hint)
		case null:
			out.State, out.Adds = isNull, "Fill in"
			return out
		}
		out = w.value(out, elem, quoted, raw, hint)
		out.CanGo, out.Removes = true, "Make it null"
		if out.State == "" {
			out.State = isSet
		}
		return out
	case schema.Ref, schema.Inline:
		fields := t.Fields
		if t.Kind == schema.Ref {
			fields = w.schema.Struct(t.Name)
		}
		if !null && !isObject(raw) {
			return w.misfit(out, raw)
		}
		out.Input, out.Fields = "group", w.object(out.Path, fields, raw)
		return out
	case schema.List, schema.Array:
		return w.list(out, t, raw)
	case schema.Map, schema.JSON, schema.Outer:
		out.Input, out.Value = "json", w.typed(out.Path, raw)
		return out
	}
	return w.leaf(out, t, quoted, raw, hint)
}

func (w writer) list(out Field, t *schema.Type, raw []byte) Field {
	var elements []json.RawMessage
	if raw != nil && json.Unmarshal(raw, &elements) != nil {
		return w.misfit(out, raw)
	}
	out.Input, out.State = "list", strconv.Itoa(len(elements))
	if elements == nil {
		out.State = isNull
	}
	if t.Kind == schema.List {
		out.Adds = "Add one"
	}
	for i, e := range elements {
		path := join(out.Path, strconv.Itoa(i))
		field := Field{Path: path, Label: out.Label + " " + strconv.Itoa(i), Type: t.Elem.String(), Error: w.errors[path]}
		field = w.value(field, t.Elem, false, e, "")
		if t.Kind == schema.List {
			field.CanGo, field.Removes = true, "Remove"
		}
		out.Fields = append(out.Fields, field)
	}
	return out
}

// misfit shows what is there, although it is not what the schema says.
func (w writer) misfit(out Field, raw []byte) Field {
	out.Input, out.Value, out.Hint = "json", w.typed(out.Path, raw), "This is not "+out.Type
	return out
}

// typed returns JSON for an input: what somebody has typed, if that was none.
func (w writer) typed(path string, raw []byte) string {
	if w.errors[path] != "" {
		return text(raw)
	}
	return indented(raw)
}

func (w writer) isMark(raw []byte) bool {
	return w.mark != "" && strings.HasPrefix(text(raw), strings.TrimSuffix(w.mark, "1"))
}

// inner returns a type without its pointers.
func inner(t *schema.Type) *schema.Type {
	for t.Kind == schema.Pointer {
		t = t.Elem
	}
	return t
}

// join adds a name to a path, as JSON pointers do it.
func join(path, name string) string {
	return path + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// A member is a field of a JSON object.
type member struct {
	name string
	raw  json.RawMessage
}

type members []member

// membersOf returns the fields of an object in their order.
func membersOf(raw []byte) (list members, ok bool) {
	if raw == nil {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return list, false
		}
		m := member{name: name.(string)}
		if d.Decode(&m.raw) != nil {
			return list, false
		}
		list = append(list, m)
	}
	return list, true
}

// get returns the value of a field: the last one, as decoders take it.
func (ms members) get(name string) (json.RawMessage, bool) {
	for i := len(ms) - 1; i >= 0; i-- {
		if ms[i].name == name {
			return ms[i].raw, true
		}
	}
	return nil, false
}

func hasField(fields []schema.Field, name string) bool {
	for _, f := range fields {
		if f.Name == name {
			return true
		}
	}
	return false
}

func isObject(raw []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) }

func indented(raw []byte) string {
	var b bytes.Buffer
	if raw == nil || json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}

// text returns the text of a JSON string, or "".
func text(raw []byte) (s string) {
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// quote returns the JSON of a text, with no more escapes than it needs.
func quote(s string) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(s) // a string can be written
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
