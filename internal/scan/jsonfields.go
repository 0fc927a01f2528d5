package scan

import (
	"go/types"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// A jsonField is a field of a struct as encoding/json has it.
type jsonField struct {
	name     string // in JSON
	path     string // in Go, from the struct: Base.Name
	v        *types.Var
	depth    int  // how many embedded structs it is in
	tagged   bool // the name comes from a tag
	options  jsonOptions
	pointers int // how many embedded pointers it is reached through
}

// jsonOptions are the options in the tag of a field.
type jsonOptions struct {
	optional bool // omitempty or omitzero
	quoted   bool // string
}

// A lostField is a field that encoding/json passes over without a word.
type lostField struct {
	path   string
	v      *types.Var
	reason string
	hint   string
}

// jsonFields returns the fields of a struct that encoding/json encodes, those
// of embedded structs among them, and those it loses though no tag says so. The
// rules are in the documentation of json.Marshal.
func (s *scanner) jsonFields(st *types.Struct) (fields []jsonField, lost []lostField) {
	known, ok := s.fields[st]
	if !ok {
		known.fields, known.lost = findJSONFields(st)
		s.fields[st] = known
	}
	return known.fields, known.lost
}

// structFields are the fields of a struct, for the wire.
type structFields struct {
	fields []jsonField
	lost   []lostField
}

func findJSONFields(st *types.Struct) (fields []jsonField, lost []lostField) {
	c := &fieldCollector{}
	c.collect(st, "", 0, 0, nil)
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
	return fields, append(c.lost, foldDuplicates(fields)...)
}

// dominant returns the field that Go's rules choose among fields of one name:
// the least nested, then the one with a tag; none if that leaves several.
func dominant(fields []jsonField) (jsonField, bool) {
	best := slices.MinFunc(fields, compareDominance)
	n := 0
	for _, f := range fields {
		if compareDominance(f, best) == 0 {
			n++
		}
	}
	return best, n == 1
}

func compareDominance(a, b jsonField) int {
	switch {
	case a.depth != b.depth:
		return a.depth - b.depth
	case a.tagged == b.tagged:
		return 0
	case a.tagged:
		return -1
	}
	return 1
}

// foldDuplicates returns the fields whose names differ from an earlier one's
// in case only: decoding takes the one for the other where that is left out.
func foldDuplicates(fields []jsonField) []lostField {
	var lost []lostField
	for i, f := range fields {
		for _, g := range fields[:i] {
			if strings.EqualFold(f.name, g.name) {
				lost = append(lost, lostField{
					f.path, f.v,
					"its name in JSON, " + f.name + ", differs from that of " + g.path + " in case only",
					"give one of the two another name in its json tag",
				})
			}
		}
	}
	return lost
}

type fieldCollector struct {
	fields []jsonField
	lost   []lostField
}

func (c *fieldCollector) lose(path string, v *types.Var, reason, hint string) {
	c.lost = append(c.lost, lostField{path, v, reason, hint})
}

// collect adds the fields of st, which is at prefix inside the struct that was
// asked about. The enclosing structs are in outer.
func (c *fieldCollector) collect(st *types.Struct, prefix string, depth, pointers int, outer []types.Type) {
	for i := range st.NumFields() {
		v := st.Field(i)
		tag := reflect.StructTag(st.Tag(i)).Get("json")
		path := prefix + v.Name()
		if tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		if !validJSONName(name) {
			name = ""
		}
		embedded, pointer := embeddedStruct(v)
		switch {
		case v.Name() == "_":
			continue
		case v.Embedded() && !v.Exported() && embedded == nil, !v.Embedded() && !v.Exported():
			c.lose(path, v, "the field is unexported, so it would be lost", "")
			continue
		case v.Embedded() && !v.Exported() && pointer:
			c.lose(path, v, "an embedded pointer to an unexported struct cannot be decoded", "embed the struct itself")
			continue
		case embedded != nil && name == "":
			if slices.ContainsFunc(outer, func(t types.Type) bool { return types.Identical(t, embedded) }) {
				c.lose(path, v, "the struct embeds itself, so it would be lost", "give the field a name")
				continue
			}
			before, through := len(c.fields), pointers
			if pointer {
				through++
			}
			inner := embedded.Underlying().(*types.Struct)
			c.collect(inner, path+".", depth+1, through, append(slices.Clip(outer), embedded))
			always := func(f jsonField) bool { return !f.options.optional && f.pointers == through }
			if pointer && !slices.ContainsFunc(c.fields[before:], always) {
				c.lose(path, v, "the embedded pointer would come back nil, as all its fields may be left out", "embed the struct itself, or give the field a name")
			}
			continue
		case !v.Exported():
			// An embedded, unexported struct with a name in its tag.
			c.lose(path, v, "the field is unexported, so it would be lost", "")
			continue
		}
		f := jsonField{name: name, path: path, v: v, depth: depth, tagged: name != "", pointers: pointers}
		if name == "" {
			f.name = v.Name()
		}
		for o := range strings.SplitSeq(options, ",") {
			switch o {
			case "omitempty", "omitzero":
				f.options.optional = true
			case "string":
				f.options.quoted = quotable(v.Type())
			}
		}
		c.fields = append(c.fields, f)
	}
}

// embeddedStruct returns the struct type that v embeds, if it does.
func embeddedStruct(v *types.Var) (t types.Type, pointer bool) {
	if !v.Embedded() {
		return nil, false
	}
	t = types.Unalias(v.Type())
	if p, ok := t.(*types.Pointer); ok {
		t, pointer = types.Unalias(p.Elem()), true
	}
	if _, ok := t.Underlying().(*types.Struct); !ok {
		return nil, false
	}
	return t, pointer
}

// quotable reports whether the option "string" means anything for a type.
func quotable(t types.Type) bool {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		t = p.Elem()
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&(types.IsBoolean|types.IsInteger|types.IsFloat|types.IsString) != 0
}

// validJSONName reports whether encoding/json takes a name from a tag.
func validJSONName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}
