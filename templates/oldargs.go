package templates

import (
	"fmt"
	"strings"
	"unicode"

	. "github.com/dave/jennifer/jen"

	"github.com/dtaskhq/dtask/internal/scan"
	"github.com/dtaskhq/dtask/internal/schema"
)

// oldArgs emits the arguments that a task had earlier, for the function that
// converts them. Their structs are as the messages have them, whatever the user's
// types are now:
//
//	// SendWelcomeArgsV1 are the arguments that SendWelcome had in version 1.
//	type SendWelcomeArgsV1 struct {
//		To   string                `json:"to"`
//		User sendWelcomeArgsV1User `json:"user"`
//	}
//
//	type sendWelcomeArgsV1User struct {
//		Name string `json:"name"`
//	}
func (w *writer) oldArgs(o scan.OldArgs) *Statement {
	old := &oldTypes{names: make(map[string]string)}
	taken := make(map[string]bool)
	for _, name := range append(generatedIdentifiers(w.pkg), w.pkg.Scope...) {
		taken[name] = true
	}
	for _, name := range o.Schema.References() {
		old.names[name] = unused(scan.Uncapitalize(o.Name)+scan.Capitalize(lastName(name)), taken)
		taken[old.names[name]] = true
	}
	s := doc(fmt.Sprintf("%s are the arguments that %s had in version %d.", o.Name, o.Task.Function(), o.N)).
		Type().Id(o.Name).Add(old.structOf(o.Schema.Fields)).Line().Line()
	for _, name := range o.Schema.References() {
		s.Type().Id(old.names[name]).Add(old.structOf(o.Schema.Struct(name))).Line().Line()
	}
	return s
}

// lastName returns the name of a struct without what stands before it, such as its
// package, and without what cannot stand in a name.
func lastName(name string) string {
	before, _, _ := strings.Cut(name, "[") // Pair[int, string]
	before = before[strings.LastIndexAny(before, "./")+1:]
	return strings.Map(func(r rune) rune {
		if r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, before)
}

// oldTypes emits the types of one version.
type oldTypes struct{ names map[string]string } // of structs: as generated

func (o *oldTypes) structOf(fields []schema.Field) *Statement {
	taken := make(map[string]bool)
	return StructFunc(func(g *Group) {
		for _, f := range fields {
			name := unused(goName(f.Name), taken)
			taken[name] = true
			tag := f.Name
			if f.Quoted {
				tag += ",string"
			}
			if f.Optional {
				tag += ",omitzero"
			}
			if tag == "-" {
				tag = "-," // a field of that name
			}
			tags := map[string]string{"json": tag}
			if f.Secret {
				tags["dtask"] = "secret"
			}
			g.Id(name).Add(o.typ(f.Type)).Tag(tags)
		}
	})
}

// goName returns the name of a field in JSON as the name of a field in Go.
func goName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return '_'
	}, name)
	return fieldName(name)
}

func (o *oldTypes) typ(t *schema.Type) *Statement {
	switch t.Kind {
	case schema.Time:
		return Qual(timePath, "Time")
	case schema.Duration:
		return Qual(timePath, "Duration")
	case schema.Bytes:
		return Index().Byte()
	case schema.JSON, schema.Outer:
		return Qual(jsonPath, "RawMessage")
	case schema.Text:
		return String()
	case schema.Pointer:
		return Op("*").Add(o.typ(t.Elem))
	case schema.List:
		return Index().Add(o.typ(t.Elem))
	case schema.Array:
		return Index(Lit(t.Len)).Add(o.typ(t.Elem))
	case schema.Map:
		return Map(o.typ(t.Key)).Add(o.typ(t.Elem))
	case schema.Inline:
		return o.structOf(t.Fields)
	case schema.Ref:
		return Id(o.names[t.Name])
	}
	return Id(t.Name)
}
