package jsonwire

import (
	"go/types"
	"reflect"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/internal/fieldtag"
)

// A jsonField is a field of a struct as encoding/json has it.
type jsonField struct {
	name     string // in JSON
	path     string // in Go, from the struct: Base.Name
	v        *types.Var
	depth    int  // how many embedded structs it is in
	tagged   bool // the name comes from a tag
	options  fieldOptions
	was      []string // names that it had in JSON
	pointers int      // how many embedded pointers it is reached through
}

// A lostField is a field that encoding/json skips silently.
type lostField struct {
	path   string
	v      *types.Var
	reason string
	hint   string
}

// jsonFields returns the fields of a struct that encoding/json encodes, with those
// of embedded structs, and the fields that it skips although no tag tells it to.
// The rules are in the documentation of json.Marshal.
func (e *Encoding) jsonFields(st *types.Struct) (fields []jsonField, lost []lostField) {
	known, ok := e.fields[st]
	if !ok {
		known.fields, known.lost = findJSONFields(st)
		e.fields[st] = known
	}
	return known.fields, known.lost
}

// structFields are the fields of a struct in JSON.
type structFields struct {
	fields []jsonField
	lost   []lostField
}

func findJSONFields(st *types.Struct) (fields []jsonField, lost []lostField) {
	c := &fieldCollector{}
	c.collect(st, nesting{})
	byName := make(map[string][]jsonField)
	for _, f := range c.fields {
		byName[f.name] = append(byName[f.name], f)
	}
	for _, f := range c.fields {
		winner, ok := dominant(byName[f.name])
		switch {
		case ok && winner.v == f.v && winner.path == f.path:
			fields = append(fields, f)
		case ok:
			c.lose(f.path, f.v, "the field would be lost: "+winner.path+" has the same name in JSON", "give one of the two another name in its json tag")
		default:
			c.lose(f.path, f.v, "the field would be lost: another field has the same name "+f.name+" in JSON", "give one of the two another name in its json tag")
		}
	}
	return fields, slices.Concat(c.lost, foldDuplicates(fields), wrongWas(fields))
}

type fieldCollector struct {
	fields []jsonField
	lost   []lostField
}

// A nesting says where an embedded struct is in the one that embeds it.
type nesting struct {
	prefix   string // of the paths of its fields
	depth    int
	pointers int
	secret   bool         // its fields are
	outer    []types.Type // the structs around it
}

func (c *fieldCollector) lose(path string, v *types.Var, reason, hint string) {
	c.lost = append(c.lost, lostField{path, v, reason, hint})
}

// collect adds the fields of a struct.
func (c *fieldCollector) collect(st *types.Struct, in nesting) {
	for i := range st.NumFields() {
		v := st.Field(i)
		tags := reflect.StructTag(st.Tag(i))
		if tag := tags.Get("json"); tag != "-" && v.Name() != "_" {
			within, was := c.own(v, tags, in)
			c.field(v, tag, was, within)
		}
	}
}

// own obeys the tag of dtask. What is embedded in a secret field is secret, too.
func (c *fieldCollector) own(v *types.Var, tags reflect.StructTag, in nesting) (within nesting, was []string) {
	text, ok := tags.Lookup(fieldtag.Key)
	tag, reason, hint := fieldtag.Parse(text)
	if !ok {
		reason, hint = misspeltTag(tags)
	}
	if reason != "" {
		c.lose(in.prefix+v.Name(), v, reason, hint)
	}
	in.secret = in.secret || tag.Secret
	return in, tag.Was
}

// field adds a field, or the fields that it embeds.
func (c *fieldCollector) field(v *types.Var, tag string, was []string, in nesting) {
	path := in.prefix + v.Name()
	name, options, _ := strings.Cut(tag, ",")
	if !validJSONName(name) {
		name = ""
	}
	embedded, pointer := embeddedStruct(v)
	flaw, hint := tagFlaw(tag)
	switch {
	case flaw != "" && (v.Exported() || embedded != nil):
		c.lose(path, v, flaw, hint)
	case embedded == nil && !v.Exported():
		c.lose(path, v, "the field is unexported, so it would be lost", "")
	case !v.Exported() && pointer:
		c.lose(path, v, "an embedded pointer to an unexported struct cannot be decoded", "embed the struct itself")
	case embedded != nil && name == "" && len(was) > 0:
		c.lose(path, v, "an embedded struct has no name in JSON, so it had none", "tag its fields")
	case embedded != nil && name == "":
		c.embed(v, embedded, pointer, in)
	case !v.Exported(): // an embedded struct with a name in its tag
		c.lose(path, v, "the field is unexported, so it would be lost", "")
	default:
		f := jsonField{name: name, path: path, v: v, depth: in.depth, tagged: name != "", pointers: in.pointers, was: was}
		if name == "" {
			f.name = v.Name()
		}
		f.options = fieldOptionsOf(v.Type(), options)
		f.options.secret = in.secret
		c.fields = append(c.fields, f)
	}
}

// embed adds the fields of an embedded struct.
func (c *fieldCollector) embed(v *types.Var, embedded types.Type, pointer bool, in nesting) {
	path := in.prefix + v.Name()
	if slices.ContainsFunc(in.outer, func(t types.Type) bool { return types.Identical(t, embedded) }) {
		c.lose(path, v, "the struct embeds itself, so it would be lost", "give the field a name")
		return
	}
	inner := nesting{path + ".", in.depth + 1, in.pointers, in.secret, append(slices.Clip(in.outer), embedded)}
	if pointer {
		inner.pointers++
	}
	before := len(c.fields)
	c.collect(embedded.Underlying().(*types.Struct), inner)
	always := func(f jsonField) bool { return !f.options.optional && f.pointers == inner.pointers }
	if pointer && !slices.ContainsFunc(c.fields[before:], always) {
		c.lose(path, v, "the embedded pointer would come back nil, as all its fields may be left out", "embed the struct itself, or give the field a name")
	}
}
