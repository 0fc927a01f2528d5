package schema

import (
	"fmt"
	"slices"
)

// Compare returns what a change from one schema to another means for a reader with
// the new one, who meets a value of the old one. The reader is strict: it takes no
// field that it does not know, and misses none.
//
// Two types that look alike in JSON are not taken for each other unless every value
// of the old one is a value of the new one: a []byte is text in JSON, as a string
// is, and a time.Duration is a number.
//
// A field whose tag says so takes the place of one that is gone.
func Compare(old, new *Schema) []Change {
	c := &comparison{old: old, new: new, seen: make(map[[2]string]bool)}
	c.fields("", old.Fields, new.Fields)
	return c.changes
}

type comparison struct {
	old, new *Schema
	seen     map[[2]string]bool // pairs of structs that are compared already
	changes  []Change
}

func (c *comparison) add(rule Rule, format string, args ...any) {
	c.changes = append(c.changes, Change{Rule: rule, Text: fmt.Sprintf(format, args...)})
}

// whole adds the change that a whole field is new or gone.
func (c *comparison) whole(rule Rule, path string, f Field, text string) {
	c.changes = append(c.changes, Change{Rule: rule, Text: join(path, f.Name) + text, In: path, Name: f.Name, Type: f.Type.String()})
}

// fields compares the fields of two structs at a path.
func (c *comparison) fields(path string, old, new []Field) {
	for _, o := range old {
		n, kept := find(new, o.Name)
		at := join(path, o.Name)
		if heir, ok := heir(new, o.Name); ok && !kept {
			if rival := heir.rival(o.Name, old); rival != "" {
				c.add(FieldRemoved, "%s is gone, and %s cannot take its place, as %s was there, too", at, fieldName(heir.Name), fieldName(rival))
				continue
			}
			n, kept, at = heir, true, join(path, heir.Name)
			c.add(FieldRenamed, "%s was %s", at, fieldName(o.Name))
		}
		switch {
		case kept && o.Quoted != n.Quoted:
			c.add(FieldShape, "%s: its value was %s, and is %s now", at, o.form(), n.form())
		case kept && o.Optional && !n.Optional:
			c.add(FieldNarrowed, "%s could be absent", at)
			fallthrough
		case kept:
			c.types(at, o.Type, n.Type)
		case o.Optional:
			c.whole(FieldRemovedOptional, path, o, " is gone")
		default:
			c.whole(FieldRemoved, path, o, " is gone")
		}
	}
	for _, n := range new {
		if _, known := find(old, n.Name); known || inherits(n, old) {
			continue
		}
		if n.Optional {
			c.whole(FieldAddedOptional, path, n, " is new, and may be absent")
		} else {
			c.whole(FieldAdded, path, n, " is new")
		}
	}
}

func (f Field) form() string {
	if f.Quoted {
		return "in a string"
	}
	return "in no string"
}

func find(fields []Field, name string) (Field, bool) {
	for _, f := range fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// heir returns the field that had a name.
func heir(fields []Field, was string) (Field, bool) {
	i := slices.IndexFunc(fields, func(f Field) bool { return slices.Contains(f.Was, was) })
	if i < 0 {
		return Field{}, false
	}
	return fields[i], true
}

// rival returns another of the names that a field has or had that one of others has.
func (f Field) rival(was string, others []Field) string {
	for _, name := range append([]string{f.Name}, f.Was...) {
		if _, there := find(others, name); there && name != was {
			return name
		}
	}
	return ""
}

// inherits reports whether a field takes the place of one of others.
func inherits(f Field, others []Field) bool {
	return slices.ContainsFunc(others, func(o Field) bool { return slices.Contains(f.Was, o.Name) })
}

func join(path, name string) string {
	if path == "" {
		return fieldName(name)
	}
	return path + "." + fieldName(name)
}

// types compares two types at a path.
func (c *comparison) types(path string, o, n *Type) {
	became := func(rule Rule) { c.add(rule, "%s: %s became %s", path, o, n) }
	switch {
	case o.Kind == Pointer && n.Kind == Pointer:
		c.types(path, o.Elem, n.Elem)
	case n.Kind == Pointer: // null is one value more
		if rule := c.inner(path, o, n.Elem); rule == "" {
			became(FieldWidened)
		}
	case o.Kind == Pointer:
		if rule := c.inner(path, o.Elem, n); rule == "" {
			became(FieldNarrowed)
		}
	case o.isStruct() && n.isStruct():
		c.structs(path, o, n)
	case o.Kind != n.Kind:
		became(acrossKinds(o, n))
		if isList(o) && isList(n) {
			c.types(path+"[]", o.Elem, n.Elem)
		}
	case o.Kind == Basic && o.Name != n.Name:
		became(basics(o.Name, n.Name))
	case o.Kind == JSON && o.Name != n.Name:
		became(FieldOpaque)
	case o.Kind == Text && o.Name != n.Name:
		became(FieldMeaning)
	case (o.Kind == Array || o.Kind == Outer) && o.Len != n.Len:
		became(FieldShape)
	case o.Kind == List, o.Kind == Array:
		c.types(path+"[]", o.Elem, n.Elem)
	case o.Kind == Map:
		c.keys(path, o, n)
		c.types(path+"[]", o.Elem, n.Elem)
	}
}

// inner compares two types, one of which stands behind a pointer. It returns the
// rule of the worst difference, or "" if there is none.
func (c *comparison) inner(path string, o, n *Type) Rule {
	before := len(c.changes)
	c.types(path, o, n)
	for _, change := range c.changes[before:] {
		if change.Rule.Verdict() == Refuses {
			return change.Rule
		}
	}
	return ""
}

func (t *Type) isStruct() bool { return t.Kind == Inline || t.Kind == Ref }

func isList(t *Type) bool { return t.Kind == List || t.Kind == Array }

// structs compares two structs, each pair of named ones once.
func (c *comparison) structs(path string, o, n *Type) {
	if o.Kind == Ref && n.Kind == Ref {
		pair := [2]string{o.Name, n.Name}
		if c.seen[pair] {
			return
		}
		c.seen[pair] = true
	}
	c.fields(path, c.old.fields(o), c.new.fields(n))
}

// keys compares the keys of two maps.
func (c *comparison) keys(path string, o, n *Type) {
	if o.Key.String() == n.Key.String() {
		return
	}
	rule := FieldMeaning
	if o.Key.Kind == Basic && n.Key.Kind == Basic {
		rule = basics(o.Key.Name, n.Key.Name)
		if rule == FieldShape { // all keys are strings in JSON
			rule = FieldMeaning
		}
	}
	c.add(rule, "%s: its keys were %s, and are %s now", path, o.Key, n.Key)
}

// acrossKinds returns the rule of a change from one kind of type to another.
func acrossKinds(o, n *Type) Rule {
	switch {
	case o.Kind == Array && n.Kind == List:
		return FieldWidened
	case o.Kind == List && n.Kind == Array:
		return FieldNarrowed
	case o.Kind == JSON || n.Kind == JSON:
		return FieldOpaque
	case token(o) == token(n):
		return FieldMeaning
	}
	return FieldShape
}

// token returns what values of a type are in JSON.
func token(t *Type) string {
	switch t.Kind {
	case Basic:
		if numbers[t.Name].bits > 0 {
			return "number"
		}
		return t.Name
	case Duration:
		return "number"
	case Time, Bytes, Text:
		return "string"
	case List, Array:
		return "array"
	}
	return "object"
}

// basics returns the rule of a change from one basic type to another.
func basics(old, new string) Rule {
	o, n := numbers[old], numbers[new]
	switch {
	case o.bits == 0 || n.bits == 0: // a string or a bool
		return FieldShape
	case o.float && n.float && o.bits < n.bits:
		return FieldWidened
	case o.float || n.float: // a float rounds what it cannot hold
		return FieldMeaning
	case n.holds(o):
		return FieldWidened
	}
	return FieldNarrowed
}
