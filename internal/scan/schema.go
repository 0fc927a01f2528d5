package scan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/types"
	"strings"

	"golang.org/x/tools/go/types/typeutil"
)

// A schema describes what arguments look like in a message, a line for each
// field:
//
//	to string
//	user User
//	User.name string
//	User.friends []*User
//
// Structs are named, so that recursive types end. To the fingerprint, their
// names do not matter: there they are numbers, so that renaming a type does
// not make messages foreign that have not changed.
type schema struct {
	p       *packageScan
	lines   []schemaLine
	numbers typeutil.Map // of named structs: their number, from 1
	names   map[string]types.Type
	pending []namedStruct
	open    []types.Type // named types that are no structs, in which the type to write is
}

type schemaLine struct{ readable, canonical string }

type namedStruct struct {
	ref schemaLine
	st  *types.Struct
}

func (p *packageScan) newSchema() *schema {
	return &schema{p: p, names: make(map[string]types.Type)}
}

// finish returns the lines and the fingerprint.
func (s *schema) finish() (lines []string, fingerprint string) {
	for len(s.pending) > 0 {
		next := s.pending[0]
		s.pending = s.pending[1:]
		for _, f := range s.structLines(next.st) {
			s.lines = append(s.lines, schemaLine{
				next.ref.readable + "." + f.readable,
				next.ref.canonical + "." + f.canonical,
			})
		}
	}
	h := sha256.New()
	for _, l := range s.lines {
		lines = append(lines, l.readable)
		fmt.Fprintln(h, l.canonical)
	}
	return lines, hex.EncodeToString(h.Sum(nil)[:8])
}

// field adds a line for a parameter.
func (s *schema) field(name string, t types.Type) {
	s.lines = append(s.lines, s.line(name, t, jsonOptions{}))
}

// fields adds the lines of a struct that is the arguments.
func (s *schema) fields(st *types.Struct) {
	s.lines = append(s.lines, s.structLines(st)...)
}

func (s *schema) structLines(st *types.Struct) []schemaLine {
	fields, _ := s.p.jsonFields(st)
	var lines []schemaLine
	for _, f := range fields {
		lines = append(lines, s.line(f.name, f.v.Type(), f.options))
	}
	return lines
}

func (s *schema) line(name string, t types.Type, options jsonOptions) schemaLine {
	suffix := ""
	if options.quoted {
		suffix += ", as string"
	}
	if options.optional {
		suffix += ", may be absent"
	}
	typ := s.typ(t)
	return schemaLine{name + " " + typ.readable + suffix, name + " " + typ.canonical + suffix}
}

// typ returns how a type is written in a line.
func (s *schema) typ(t types.Type) schemaLine {
	t = types.Unalias(t)
	if isTime(t) || isNamed(t, "time", "Duration") {
		return same(s.p.typeString(t))
	}
	if c := s.p.codecOf(t); c.own() {
		// What it writes is its own affair.
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
		if b, ok := u.Elem().Underlying().(*types.Basic); ok && b.Kind() == types.Byte && !s.p.codecOf(types.Unalias(u.Elem())).own() {
			return same("base64")
		}
		return s.typ(u.Elem()).behind("[]")
	case *types.Array:
		return s.typ(u.Elem()).behind(fmt.Sprintf("[%d]", u.Len()))
	case *types.Map:
		key, elem := s.typ(u.Key()), s.typ(u.Elem())
		return schemaLine{
			"map[" + key.readable + "]" + elem.readable,
			"map[" + key.canonical + "]" + elem.canonical,
		}
	case *types.Struct:
		if named, ok := t.(*types.Named); ok {
			return s.reference(named, u)
		}
		return s.inline(u)
	}
	return same(types.TypeString(t, nil)) // refused elsewhere
}

// enter opens a named type that is written out. If it is open already, as in
//
//	type Tree map[string]Tree
//
// it returns what to write instead: its name, or how far out it is.
func (s *schema) enter(t types.Type) (ref schemaLine, again bool) {
	if !writtenOut(t) {
		return schemaLine{}, false
	}
	for i, outer := range s.open {
		if types.Identical(outer, t) {
			return schemaLine{s.p.typeString(t), fmt.Sprintf("^%d", len(s.open)-i)}, true
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

// writtenOut reports whether a type is a named one that is not written as a
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
	name := s.p.typeString(t)
	for n := 2; s.names[name] != nil; n++ {
		name = fmt.Sprintf("%s#%d", s.p.typeString(t), n)
	}
	s.names[name] = t
	ref := schemaLine{name, fmt.Sprintf("#%d", s.numbers.Len()+1)}
	s.numbers.Set(t, ref)
	s.pending = append(s.pending, namedStruct{ref, st})
	return ref
}

// inline writes a struct without a name: {a int; b string}.
func (s *schema) inline(st *types.Struct) schemaLine {
	var readable, canonical []string
	for _, l := range s.structLines(st) {
		readable = append(readable, l.readable)
		canonical = append(canonical, l.canonical)
	}
	return schemaLine{"{" + strings.Join(readable, "; ") + "}", "{" + strings.Join(canonical, "; ") + "}"}
}

func same(text string) schemaLine { return schemaLine{text, text} }

func (l schemaLine) behind(prefix string) schemaLine {
	return schemaLine{prefix + l.readable, prefix + l.canonical}
}
