package schema

import "encoding/json"

// Shape returns what a JSON object must have so that it decodes into the schema with no
// value lost and none made up: which fields, of which kinds of JSON. It is itself JSON,
// for programs that are not in Go:
//
//	{"structs": {"": SHAPE, "User": SHAPE, …}}
//
// A SHAPE has the members kinds (as PostgreSQL's jsonb_typeof names them; absent:
// anything goes), fields (of an object, by name), optional (of a field), of (the values
// of a list or a map), len (of an array) and struct (a name of structs). It returns nil
// if a type refers to one that has no name: only Go knows those.
func (s *Schema) Shape() []byte {
	w := shaper{ok: true}
	structs := map[string]shape{"": {Kinds: []string{"object"}, Fields: w.fields(s.Fields)}}
	for _, st := range s.Structs {
		structs[st.Name] = shape{Kinds: []string{"object"}, Fields: w.fields(st.Fields)}
	}
	if !w.ok {
		return nil
	}
	text, err := json.Marshal(map[string]any{"structs": structs})
	if err != nil {
		panic(err) // impossible: there is nothing that cannot be encoded
	}
	return text
}

type shape struct {
	Kinds    []string         `json:"kinds,omitempty"`
	Fields   map[string]shape `json:"fields,omitempty"`
	Optional bool             `json:"optional,omitempty"`
	Of       *shape           `json:"of,omitempty"`
	Len      *int             `json:"len,omitempty"`
	Struct   string           `json:"struct,omitempty"`
}

type shaper struct{ ok bool }

func (w *shaper) fields(list []Field) map[string]shape {
	shapes := make(map[string]shape)
	for _, f := range list {
		s := w.of(f.Type)
		if f.Quoted {
			s = shape{Kinds: []string{"string"}}
			if f.Type.Kind == Pointer {
				s.Kinds = append(s.Kinds, "null")
			}
		}
		s.Optional = f.Optional
		shapes[f.Name] = s
	}
	return shapes
}

func (w *shaper) of(t *Type) shape {
	inner := func() *shape { s := w.of(t.Elem); return &s }
	switch t.Kind {
	case Time, Text:
		return shape{Kinds: []string{"string"}}
	case Duration:
		return shape{Kinds: []string{"number"}}
	case Bytes:
		return shape{Kinds: []string{"string", "null"}}
	case JSON:
		return shape{}
	case Pointer:
		s := w.of(t.Elem)
		if s.Kinds != nil || s.Struct != "" {
			s.Kinds = append(s.Kinds, "null")
		}
		return s
	case List:
		return shape{Kinds: []string{"array", "null"}, Of: inner()}
	case Array:
		return shape{Kinds: []string{"array"}, Of: inner(), Len: &t.Len}
	case Map:
		return shape{Kinds: []string{"object", "null"}, Of: inner()}
	case Inline:
		return shape{Kinds: []string{"object"}, Fields: w.fields(t.Fields)}
	case Ref:
		return shape{Kinds: []string{"object"}, Struct: t.Name}
	case Outer:
		w.ok = false
		return shape{}
	}
	switch n := numbers[t.Name]; {
	case n.float, n.bits > 0:
		return shape{Kinds: []string{"number"}}
	case t.Name == "bool":
		return shape{Kinds: []string{"boolean"}}
	}
	return shape{Kinds: []string{"string"}}
}
