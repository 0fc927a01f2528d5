package jsonwire

import (
	"fmt"
	"go/types"
	"strings"
)

// typ returns how a type is written in a line.
func (s *schema) typ(t types.Type) schemaLine {
	t = types.Unalias(t)
	if isTime(t) || isNamed(t, "time", "Duration") {
		return same(s.typeString(t))
	}
	if c := s.codecOf(t); c.own() {
		// Nobody knows what its methods write.
		form := "JSON"
		if c.text {
			form = "text"
		}
		return same(fmt.Sprintf("%s of %s", form, types.TypeString(t, nil)))
	}
	if ref, again := s.enter(t); again {
		return ref
	}
	defer s.leave(t)
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return same(types.Typ[u.Kind()].Name()) // byte is uint8
	case *types.Pointer:
		return s.typ(u.Elem()).behind("*")
	case *types.Slice:
		if b, ok := u.Elem().Underlying().(*types.Basic); ok && b.Kind() == types.Byte && !s.codecOf(types.Unalias(u.Elem())).own() {
			return same("base64")
		}
		return s.typ(u.Elem()).behind("[]")
	case *types.Array:
		return s.typ(u.Elem()).behind(fmt.Sprintf("[%d]", u.Len()))
	case *types.Map:
		key, elem := s.typ(u.Key()), s.typ(u.Elem())
		return schemaLine{
			"map[" + key.readable + "]" + elem.readable,
			"map[" + key.fingerprinted + "]" + elem.fingerprinted,
		}
	case *types.Struct:
		if named, ok := t.(*types.Named); ok {
			return s.reference(named, u)
		}
		return s.inline(u)
	}
	return same(types.TypeString(t, nil)) // it has a flaw, which is reported
}

// enter opens a named type that is written out. If it is open already, as in
//
//	type Tree map[string]Tree
//
// it returns what to write instead: its name, or how many types further out it is.
func (s *schema) enter(t types.Type) (ref schemaLine, again bool) {
	if !writtenOut(t) {
		return schemaLine{}, false
	}
	for i, outer := range s.open {
		if types.Identical(outer, t) {
			return schemaLine{s.typeString(t), fmt.Sprintf("^%d", len(s.open)-i)}, true
		}
	}
	s.open = append(s.open, t)
	return schemaLine{}, false
}

func (s *schema) leave(t types.Type) {
	if writtenOut(t) {
		s.open = s.open[:len(s.open)-1]
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
func (s *schema) reference(t *types.Named, st *types.Struct) schemaLine {
	if ref := s.numbers.At(t); ref != nil {
		return ref.(schemaLine)
	}
	name := s.typeString(t)
	for n := 2; s.names[name] != nil; n++ {
		name = fmt.Sprintf("%s#%d", s.typeString(t), n)
	}
	s.names[name] = t
	ref := schemaLine{name, fmt.Sprintf("#%d", s.numbers.Len()+1)}
	s.numbers.Set(t, ref)
	s.pending = append(s.pending, namedStruct{ref, st})
	return ref
}

// inline writes a struct without a name: {a int; b string}.
func (s *schema) inline(st *types.Struct) schemaLine {
	var readable, fingerprinted []string
	for _, l := range s.structLines(st) {
		readable = append(readable, l.readable)
		fingerprinted = append(fingerprinted, l.fingerprinted)
	}
	return schemaLine{"{" + strings.Join(readable, "; ") + "}", "{" + strings.Join(fingerprinted, "; ") + "}"}
}

func same(text string) schemaLine { return schemaLine{text, text} }

func (l schemaLine) behind(prefix string) schemaLine {
	return schemaLine{prefix + l.readable, prefix + l.fingerprinted}
}
