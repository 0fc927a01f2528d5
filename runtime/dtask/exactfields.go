package dtask

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// object reads an object, for a struct of type t. Its fields by name matter more
// than what is inside of them, for they say what was renamed.
func (e *exact) object(t reflect.Type) (differs string, err error) {
	if _, err := e.in.ReadToken(); err != nil {
		return "", err
	}
	wants := e.wants(t)
	seen := make(map[string]bool, len(wants))
	var extra names
	for more(e.in.PeekKind()) {
		name, err := e.fieldName(wants)
		if err != nil {
			return "", err
		}
		f, ok := wants[name]
		switch {
		case !ok:
			extra.add(e, name)
			err = e.in.SkipValue()
		case seen[name]: // by a name that it had, and by its own
			extra.add(e, name)
			err = e.in.SkipValue()
		case f.quoted: // ",string": the decoder knows
			seen[name] = true
			err = e.in.SkipValue()
		default:
			seen[name] = true
			differs, err = e.inner(step{name: name}, f.typ, differs)
		}
		if err != nil {
			return "", err
		}
	}
	if d := e.fieldsDiffer(extra, wants, seen); d != "" {
		differs = d
	}
	_, err = e.in.ReadToken()
	return differs, err
}

// wants returns the fields of a struct of type t.
func (e *exact) wants(t reflect.Type) map[string]wireField {
	wants, known := e.fields[t]
	if !known {
		wants = make(map[string]wireField)
		collectFields(t, wants)
		e.fields[t] = wants
	}
	return wants
}

// fieldName reads the name of a field, and returns the one that it has now.
func (e *exact) fieldName(wants map[string]wireField) (string, error) {
	raw, err := e.in.ReadValue()
	if err != nil {
		return "", err
	}
	token, err := jsontext.AppendUnquote(nil, raw)
	if err != nil {
		return "", err
	}
	name := string(token)
	if _, ok := wants[name]; ok || e.former == nil {
		return name, nil
	}
	for now, f := range wants {
		if slices.Contains(f.was, name) {
			end := int(e.in.InputOffset())
			e.former.add(end-len(raw), end, now)
			return now, nil
		}
	}
	return name, nil
}

// fieldsDiffer says which fields are too many, and which are missing.
func (e *exact) fieldsDiffer(extra names, wants map[string]wireField, seen map[string]bool) string {
	var missing names
	if len(seen) < len(wants) {
		for _, name := range slices.Sorted(maps.Keys(wants)) {
			if !seen[name] && !wants[name].optional {
				missing.add(e, name)
			}
		}
	}
	switch {
	case extra.n > 0 && missing.n > 0:
		return fmt.Sprintf("has field %s, this build wants %s", extra, missing)
	case extra.n > 0:
		return fmt.Sprintf("has field %s, which this build does not know", extra)
	case missing.n > 0:
		return fmt.Sprintf("has no field %s, which this build wants", missing)
	}
	return ""
}

// names are paths of fields, for an error. A message may have any number of them.
type names struct {
	first []string
	n     int
}

// add adds a field of the struct that e reads.
func (s *names) add(e *exact, name string) {
	if s.n++; len(s.first) < 10 {
		s.first = append(s.first, append(e.at, step{name: name}).String())
	}
}

func (s names) String() string {
	slices.Sort(s.first)
	all := strings.Join(s.first, ", ")
	if more := s.n - len(s.first); more > 0 {
		all += fmt.Sprintf(" and %d more", more)
	}
	return all
}
