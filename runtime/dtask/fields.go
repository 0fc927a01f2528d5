package dtask

import (
	"reflect"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/internal/fieldtag"
)

// A wireField is a field of a struct as encoding/json sees it.
type wireField struct {
	typ      reflect.Type
	optional bool // omitempty or omitzero: it may be absent
	quoted   bool // ,string
	was      []string
}

// collectFields adds the fields of t by the names they have in JSON. It includes
// those of embedded structs, unless an outer field hides them.
func collectFields(t reflect.Type, fields map[string]wireField) {
	var embedded []reflect.Type
	for f := range t.Fields() {
		tag := f.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, opts, _ := strings.Cut(tag, ",")
		ft := f.Type
		if ft.Kind() == reflect.Pointer && f.Anonymous {
			ft = ft.Elem()
		}
		if f.Anonymous && name == "" && ft.Kind() == reflect.Struct {
			embedded = append(embedded, ft)
			continue
		}
		if !f.IsExported() {
			continue
		}
		if name == "" {
			name = f.Name
		}
		o := strings.Split(opts, ",")
		fields[name] = wireField{
			typ:      f.Type,
			optional: slices.Contains(o, "omitempty") || slices.Contains(o, "omitzero"),
			quoted:   slices.Contains(o, "string"),
			was:      fieldtag.Of(f.Tag).Was,
		}
	}
	for _, e := range embedded {
		inner := make(map[string]wireField)
		collectFields(e, inner)
		for name, f := range inner {
			if _, hidden := fields[name]; !hidden {
				fields[name] = f
			}
		}
	}
}
