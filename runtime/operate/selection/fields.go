package selection

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dtaskhq/dtask/internal/schema"
	"github.com/dtaskhq/dtask/internal/spelling"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// A Known is a task whose arguments are known.
type Known struct {
	Names  []string       // that its messages may have
	Schema string         // the fingerprint of its arguments
	Fields *schema.Schema // nil if they are not known after all
}

// A FieldError is a term whose field no message can have.
type FieldError struct {
	text  string
	depth int // how many parts of the name are right
}

func (e *FieldError) Error() string { return "selection: " + e.text }

// Check reports terms on arguments that the selected tasks do not have, or that no value
// of them can be equal to. It knows these tasks and no others: a selection that names
// another task, or arguments of another version, is taken as it is.
func (s Selection) Check(known []Known) error {
	meant := s.meant(known)
	if len(meant) == 0 {
		return nil
	}
	for _, t := range s.terms {
		path, ok := strings.CutPrefix(t.field, argument)
		if !ok {
			continue
		}
		var best *FieldError
		fits := slices.ContainsFunc(meant, func(k Known) bool {
			if k.Fields == nil {
				return true
			}
			err := t.fits(k.Fields, strings.Split(path, "."))
			if best == nil || err != nil && err.better(best) {
				best = err
			}
			return err == nil
		})
		switch {
		case fits:
		case len(meant) > 1 && best.depth == 0 && !best.helps():
			return &FieldError{text: fmt.Sprintf("no task of this program that is selected has %s", t.field)}
		default:
			return best
		}
	}
	return nil
}

// better reports whether an error is nearer to what was probably meant.
func (e *FieldError) better(other *FieldError) bool {
	return e.depth > other.depth || e.depth == other.depth && e.helps() && !other.helps()
}

// helps reports whether there is a word that was probably meant.
func (e *FieldError) helps() bool { return strings.Contains(e.text, "did you mean") }

// meant returns the tasks that are selected, or none if others may be, too.
func (s Selection) meant(known []Known) []Known {
	meant := known
	for _, t := range s.terms {
		switch {
		case t.field == "schema" && !t.not:
			meant = slices.DeleteFunc(slices.Clone(meant), func(k Known) bool { return !t.ofText(k.Schema) })
		case t.field == "task" && !t.not && t.op == ':':
			for _, v := range strings.Split(t.value, ",") {
				if !slices.ContainsFunc(known, func(k Known) bool { return k.matches(v) }) {
					return nil // it is of another program
				}
			}
			meant = slices.DeleteFunc(slices.Clone(meant), func(k Known) bool {
				return !slices.ContainsFunc(strings.Split(t.value, ","), k.matches)
			})
		}
	}
	return meant
}

func (k Known) matches(pattern string) bool {
	s := broker.Selection{Tasks: []string{pattern}}
	return slices.ContainsFunc(k.Names, func(name string) bool { return s.Matches(broker.Stored{Message: &broker.Message{Task: name}}) })
}

// fits returns an error if there is nothing at a path, or nothing that the term can be
// true of.
func (t term) fits(s *schema.Schema, path []string) *FieldError {
	typ := &schema.Type{Kind: schema.Inline, Fields: s.Fields}
	quoted := false
	for i, name := range path {
		for typ.Kind == schema.Pointer {
			typ = typ.Elem
		}
		before := argument + strings.Join(path[:i], ".")
		fields := typ.Fields
		switch typ.Kind {
		case schema.JSON, schema.Outer:
			return nil // nobody knows
		case schema.Map:
			typ = typ.Elem
			continue
		case schema.List, schema.Array:
			if n, err := strconv.Atoi(name); err != nil || n < 0 || typ.Kind == schema.Array && n >= typ.Len {
				return &FieldError{fmt.Sprintf("%s is %s: an element of it is %s.0", before, typ, before), i}
			}
			typ = typ.Elem
			continue
		case schema.Ref:
			fields = s.Struct(typ.Name)
		case schema.Inline:
		default:
			return &FieldError{fmt.Sprintf("%s is %s, and has no %s", before, typ, quotedName(name)), i}
		}
		f, complaint := field(fields, name, strings.TrimSuffix(before, "."))
		if complaint != "" {
			return &FieldError{complaint, i}
		}
		typ, quoted = f.Type, f.Quoted
	}
	return t.comparable(typ, quoted, len(path))
}

// field returns the field with a name, or says that there is none.
func field(fields []schema.Field, name, of string) (f schema.Field, complaint string) {
	var names []string
	for _, f := range fields {
		if f.Name == name {
			return f, ""
		}
		names = append(names, f.Name)
	}
	for _, known := range names {
		if strings.EqualFold(known, name) {
			return f, fmt.Sprintf("%s has no %s; did you mean %s?", of, quotedName(name), known)
		}
	}
	switch near := spelling.Nearest(name, names); {
	case near != "":
		return f, fmt.Sprintf("%s has no %s; did you mean %s?", of, quotedName(name), near)
	case len(names) == 0:
		return f, fmt.Sprintf("%s has no %s, nor anything else", of, quotedName(name))
	}
	const most = 10
	if len(names) > most {
		names = append(names[:most:most], "…")
	}
	return f, fmt.Sprintf("%s has no %s; it has %s", of, quotedName(name), strings.Join(names, ", "))
}

// comparable returns an error if the operator makes no sense for a type.
func (t term) comparable(typ *schema.Type, quoted bool, depth int) *FieldError {
	for typ.Kind == schema.Pointer {
		typ = typ.Elem
	}
	text := quoted || typ.Kind == schema.Time || typ.Kind == schema.Text || typ.Kind == schema.Bytes || typ.Kind == schema.Basic && typ.Name == "string"
	number := !quoted && (typ.Kind == schema.Duration || typ.Kind == schema.Basic && typ.Name != "string" && typ.Name != "bool")
	switch {
	case (t.op == '<' || t.op == '>') && (text || typ.Kind == schema.Basic && typ.Name == "bool"):
		return &FieldError{fmt.Sprintf("%s is %s, and %c compares numbers", t.field, typ, t.op), depth}
	case t.op == ':' && number:
		for _, v := range strings.Split(t.value, ",") {
			if _, err := strconv.ParseFloat(v, 64); err != nil && v != "null" {
				return &FieldError{fmt.Sprintf("%s is %s, and never equal to %s", t.field, typ, quotedName(v)), depth}
			}
		}
	}
	return nil
}

func quotedName(name string) string { return fmt.Sprintf("%.60q", name) }
