package jsonwire

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/types"

	"golang.org/x/tools/go/types/typeutil"
)

// A Schema says what arguments look like in a message.
type Schema struct {
	// Lines are for people, one for each field:
	//
	//	to string
	//	user User
	//	User.name string
	//	User.friends []*User
	Lines []string

	// Fingerprint tells schemas apart. The names of types do not matter to it, so
	// that messages stay what they are if a type is renamed.
	Fingerprint string
}

// SchemaOf returns the schema of arguments that have a field for each parameter.
func (j *Judge) SchemaOf(params []*types.Var) Schema {
	s := j.newSchema()
	for _, v := range params {
		s.lines = append(s.lines, s.line(v.Name(), v.Type(), fieldOptions{}))
	}
	return s.finish()
}

// SchemaOfStruct returns the schema of arguments that are a struct.
func (j *Judge) SchemaOfStruct(st *types.Struct) Schema {
	s := j.newSchema()
	s.lines = s.structLines(st)
	return s.finish()
}

// A schema is a [Schema] in the making. Structs have names in its lines, or else
// recursive types would not end. For the fingerprint the names are numbers.
type schema struct {
	*Judge
	lines   []schemaLine
	numbers typeutil.Map // of named structs: how both forms refer to them
	names   map[string]types.Type
	pending []namedStruct
	open    []types.Type // named types around the one to write, except structs
}

type schemaLine struct{ readable, fingerprinted string }

type namedStruct struct {
	ref schemaLine
	st  *types.Struct
}

func (j *Judge) newSchema() *schema {
	return &schema{Judge: j, names: make(map[string]types.Type)}
}

// finish adds the structs that were referred to.
func (s *schema) finish() Schema {
	for len(s.pending) > 0 {
		next := s.pending[0]
		s.pending = s.pending[1:]
		for _, f := range s.structLines(next.st) {
			s.lines = append(s.lines, schemaLine{
				next.ref.readable + "." + f.readable,
				next.ref.fingerprinted + "." + f.fingerprinted,
			})
		}
	}
	var finished Schema
	h := sha256.New()
	for _, l := range s.lines {
		finished.Lines = append(finished.Lines, l.readable)
		fmt.Fprintln(h, l.fingerprinted)
	}
	finished.Fingerprint = hex.EncodeToString(h.Sum(nil)[:8])
	return finished
}

func (s *schema) structLines(st *types.Struct) []schemaLine {
	fields, _ := s.jsonFields(st)
	var lines []schemaLine
	for _, f := range fields {
		lines = append(lines, s.line(f.name, f.v.Type(), f.options))
	}
	return lines
}

func (s *schema) line(name string, t types.Type, options fieldOptions) schemaLine {
	suffix := ""
	if options.quoted {
		suffix += ", as string"
	}
	if options.optional {
		suffix += ", may be absent"
	}
	typ := s.typ(t)
	return schemaLine{name + " " + typ.readable + suffix, name + " " + typ.fingerprinted + suffix}
}
