package schema

import (
	"slices"
	"strings"
)

// Opaque returns the names of the types whose own methods say what they are in JSON,
// sorted: nobody knows whether they write and read the same in another version of
// their module.
func (s *Schema) Opaque() []string {
	var names []string
	collect := func(fields []Field) {
		for _, f := range fields {
			names = f.Type.opaque(names)
		}
	}
	collect(s.Fields)
	for _, st := range s.Structs {
		collect(st.Fields)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (t *Type) opaque(names []string) []string {
	if t.Kind == JSON || t.Kind == Text {
		names = append(names, t.Name)
	}
	for _, inner := range []*Type{t.Key, t.Elem} {
		if inner != nil {
			names = inner.opaque(names)
		}
	}
	for _, f := range t.Fields {
		names = f.Type.opaque(names)
	}
	return names
}

// PackageOf returns the path of the package that declares a type, by its name as a line
// has it: example.com/a for example.com/a.Opt[example.com/b.T].
func PackageOf(name string) string {
	before, _, _ := strings.Cut(strings.TrimLeft(name, "*"), "[")
	dot := strings.LastIndexByte(before, '.')
	return before[:max(dot, 0)]
}
