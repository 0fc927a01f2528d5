// Package jsonwire knows what encoding/json makes of types: whether values come
// back equal from a message, which fields a struct has there, and what a message
// looks like.
//
// check.go walks through a type and collects its flaws, fields.go finds the
// fields of a struct and those that would be lost, codec.go looks for methods
// that encode, and schema.go describes a message and takes its fingerprint.
package jsonwire

import (
	"go/token"
	"go/types"
	"strings"

	"github.com/dtaskhq/dtask/internal/typecheck"
)

// A Judge judges the types that the tasks of one package send.
type Judge struct {
	*Encoding
	own    *types.Package
	module string
}

// An Encoding remembers how encoding/json treats types, as tasks share many.
type Encoding struct {
	codecs map[types.Type]codec
	fields map[*types.Struct]structFields
}

// NewEncoding returns an encoding that remembers nothing yet.
func NewEncoding() *Encoding {
	return &Encoding{
		codecs: make(map[types.Type]codec),
		fields: make(map[*types.Struct]structFields),
	}
}

// Judge returns a judge for the tasks of a package of a module. The user can
// change the types of that module.
func (e *Encoding) Judge(own *types.Package, module string) *Judge {
	return &Judge{Encoding: e, own: own, module: module}
}

// A Flaw keeps a value from coming back equal.
type Flaw struct {
	Path         string // where it is: user.Profile.conns[]
	Reason, Hint string

	// Chain is how it was reached: the value and the fields. It is empty if the
	// flaw is one of the value itself.
	Chain []Step

	// Unresolved is set if the type at Path has an error. Then there is neither a
	// reason nor a hint.
	Unresolved bool
}

// A Step is a part of the way to a flaw.
type Step struct {
	Pos  token.Pos // of the field, or none
	Text string
}

// Flaws returns all that keeps values of a type from coming back. The value that
// a task has of it is called name.
func (j *Judge) Flaws(name string, t types.Type) []Flaw {
	c := &check{Judge: j}
	c.value(&place{name: name, typ: t}, t, false)
	return c.flaws
}

// EncodesItself reports whether a type has methods for JSON or for text, and is
// not encoded by its kind.
func (e *Encoding) EncodesItself(t types.Type) bool { return e.codecOf(t).own() }

func (j *Judge) typeString(t types.Type) string { return typecheck.TypeString(j.own, t) }

// foreign reports whether a type is of another module, so that the user cannot
// change it.
func (j *Judge) foreign(t types.Type) bool {
	named, ok := t.(*types.Named)
	if !ok || named.Obj().Pkg() == nil {
		return false
	}
	path := named.Obj().Pkg().Path()
	return path != j.own.Path() && (j.module == "" || path != j.module && !strings.HasPrefix(path, j.module+"/"))
}
