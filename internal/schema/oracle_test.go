package schema_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/schema"
)

// What Compare promises holds for real values. Random values of random types are
// encoded, and decoded into types that differ from theirs: what is said to be read
// is read, and means the same; what is said to depend on the value is read and means
// the same, or is refused.
func TestVerdictsHold(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	seen := make(map[schema.Rule]int)
	reads := 0
	for range 20_000 {
		g := &generator{rng: rng}
		old := g.schema()
		now := g.changed(old)
		changes := schema.Compare(old, now)
		for _, c := range changes {
			seen[c.Rule]++
		}
		verdict := schema.Worst(changes)
		if verdict == schema.Refuses {
			continue
		}
		before := reflect.New(goStruct(old.Fields)).Elem()
		g.fill(before)
		text, err := json.Marshal(before.Interface())
		if err != nil {
			t.Fatal(err)
		}
		after := reflect.New(goStruct(now.Fields))
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		err = d.Decode(after.Interface())
		describe := func() string {
			return fmt.Sprintf("%s\nfrom %s\nto   %s\nby   %v", text, strings.Join(old.Lines(), "; "), strings.Join(now.Lines(), "; "), changes)
		}
		switch {
		case err != nil && verdict == schema.Reads:
			t.Fatalf("not read: %v\n%s", err, describe())
		case err != nil || hasNull(text):
			continue // refused, as may be
		}
		reads++
		if was, is := meaning(before), meaning(after.Elem()); !within(was, is) && verdict == schema.Reads {
			t.Fatalf("read, and is another value:\n%s\n%s\n%s", was, is, describe())
		} else if !within(was, is) && !lostInArray(old, now) {
			t.Fatalf("read by value, and is another value:\n%s\n%s\n%s", was, is, describe())
		}
	}
	for _, rule := range []schema.Rule{
		schema.FieldAdded, schema.FieldAddedOptional, schema.FieldRemoved, schema.FieldRemovedOptional,
		schema.FieldWidened, schema.FieldNarrowed, schema.FieldMeaning, schema.FieldShape,
	} {
		if seen[rule] < 60 {
			t.Errorf("%s occurred %d times", rule, seen[rule])
		}
	}
	if reads < 1000 {
		t.Errorf("only %d values were read", reads)
	}
}

// lostInArray: encoding/json cuts and fills arrays, and takes null for any value. A
// worker is stricter, and tests of package dtask see to that.
func lostInArray(old, now *schema.Schema) bool {
	text := strings.Join(now.Lines(), " ") + strings.Join(old.Lines(), " ")
	return strings.Contains(text, "[2]") || strings.Contains(text, "[3]") || strings.Contains(text, "*")
}

func hasNull(text []byte) bool { return bytes.Contains(text, []byte("null")) }

// within reports whether every field of was is in is, and the others are zero.
func within(was, is map[string]string) bool {
	for name, value := range was {
		if is[name] != value && !(strings.HasSuffix(value, ":zero") && (is[name] == "" || is[name] == "null:zero")) {
			return false
		}
	}
	for name, value := range is {
		if _, known := was[name]; !known && !strings.HasSuffix(value, ":zero") {
			return false
		}
	}
	return true
}

// meaning returns what the values in a struct mean, by their paths. It knows nothing
// of rules: a number is its digits, bytes are not text, and a duration is no number.
func meaning(v reflect.Value) map[string]string {
	m := make(map[string]string)
	means(m, "", v)
	return m
}

func means(m map[string]string, path string, v reflect.Value) {
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	say := func(kind string, value any) {
		if v.IsZero() {
			m[path] = kind + ":zero"
		} else {
			m[path] = fmt.Sprintf("%s:%v", kind, value)
		}
	}
	switch x := v.Interface().(type) {
	case time.Time:
		say("time", x.UTC().Format(time.RFC3339Nano))
		return
	case time.Duration:
		say("duration", int64(x))
		return
	case []byte:
		say("bytes", fmt.Sprintf("%x", x))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			means(m, path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			means(m, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			means(m, fmt.Sprintf("%s[%s %v]", path, keyKind(k), k), v.MapIndex(k))
		}
	case reflect.Float32, reflect.Float64:
		text, _ := json.Marshal(v.Interface())
		say("float", string(text))
	case reflect.String:
		say("text", v.String())
	case reflect.Bool:
		say("bool", v.Bool())
	case reflect.Pointer:
		m[path] = "null:zero"
	default:
		say("int", v.Interface())
	}
}

func keyKind(k reflect.Value) string {
	if k.Kind() == reflect.String {
		return "text"
	}
	return "int"
}

// A generator makes random schemas and values.
type generator struct{ rng *rand.Rand }

func (g *generator) schema() *schema.Schema {
	return &schema.Schema{Fields: g.fields(0)}
}

func (g *generator) fields(depth int) []schema.Field {
	var fields []schema.Field
	for i := range 1 + g.rng.IntN(3) {
		fields = append(fields, g.field(string(rune('a'+i)), depth))
	}
	return fields
}

func (g *generator) field(name string, depth int) schema.Field {
	return schema.Field{Name: name, Type: g.typ(depth), Optional: g.rng.IntN(5) == 0}
}

var basicNames = []string{"string", "bool", "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64", "float32", "float64"}

func (g *generator) typ(depth int) *schema.Type {
	n := g.rng.IntN(14)
	if depth > 2 {
		n = g.rng.IntN(8)
	}
	switch n {
	case 5:
		return &schema.Type{Kind: schema.Time}
	case 6:
		return &schema.Type{Kind: schema.Duration}
	case 7:
		return &schema.Type{Kind: schema.Bytes}
	case 8:
		return &schema.Type{Kind: schema.Pointer, Elem: g.typ(9)}
	case 9:
		return &schema.Type{Kind: schema.List, Elem: g.typ2(depth)}
	case 10:
		return &schema.Type{Kind: schema.Array, Len: 2 + g.rng.IntN(2), Elem: g.typ(depth + 1)}
	case 11:
		key := &schema.Type{Name: []string{"string", "int8", "int", "uint16"}[g.rng.IntN(4)]}
		return &schema.Type{Kind: schema.Map, Key: key, Elem: g.typ(depth + 1)}
	case 12:
		return &schema.Type{Kind: schema.Inline, Fields: g.fields(depth + 1)}
	}
	return &schema.Type{Name: basicNames[g.rng.IntN(len(basicNames))]}
}

// typ2 returns a type that a list can have: a list of uint8 is bytes.
func (g *generator) typ2(depth int) *schema.Type {
	for {
		if t := g.typ(depth + 1); t.Name != "uint8" {
			return t
		}
	}
}

// changed returns a schema that differs in one or two places.
func (g *generator) changed(old *schema.Schema) *schema.Schema {
	text := old.Lines()
	now, err := schema.Parse(text)
	if err != nil {
		panic(err)
	}
	for range 1 + g.rng.IntN(2) {
		now.Fields = g.change(now.Fields, 0)
	}
	return now
}

func (g *generator) change(fields []schema.Field, depth int) []schema.Field {
	i := g.rng.IntN(len(fields))
	f := &fields[i]
	switch g.rng.IntN(10) {
	case 0:
		if len(fields) > 1 {
			return slices.Delete(fields, i, i+1)
		}
	case 1:
		return append(fields, g.field(fmt.Sprintf("n%d", g.rng.IntN(1000)), depth))
	case 2:
		f.Optional = !f.Optional
	case 3:
		f.Type = g.typ(depth)
	case 4:
		if f.Type.Kind != schema.Pointer {
			f.Type = &schema.Type{Kind: schema.Pointer, Elem: f.Type}
		} else {
			f.Type = f.Type.Elem
		}
	default:
		g.inside(f.Type, depth)
	}
	return fields
}

// inside changes a type a little.
func (g *generator) inside(t *schema.Type, depth int) {
	switch t.Kind {
	case schema.Basic:
		t.Name = basicNames[g.rng.IntN(len(basicNames))]
	case schema.List, schema.Array:
		if g.rng.IntN(2) == 0 && t.Elem.Name != "uint8" {
			*t = schema.Type{Kind: schema.List + schema.Array - t.Kind, Len: 2, Elem: t.Elem}
			if t.Kind == schema.List {
				t.Len = 0
			}
			return
		}
		g.inside(t.Elem, depth+1)
		if t.Kind == schema.List && t.Elem.Name == "uint8" {
			t.Elem.Name = "uint16"
		}
	case schema.Pointer, schema.Map:
		g.inside(t.Elem, depth+1)
	case schema.Inline:
		t.Fields = g.change(t.Fields, depth+1)
	}
}

// goStruct returns the type of Go that a schema describes.
func goStruct(fields []schema.Field) reflect.Type {
	var list []reflect.StructField
	for _, f := range fields {
		tag := f.Name
		if f.Optional {
			tag += ",omitzero"
		}
		list = append(list, reflect.StructField{Name: strings.ToUpper(f.Name), Type: goType(f.Type), Tag: reflect.StructTag(fmt.Sprintf("json:%q", tag))})
	}
	return reflect.StructOf(list)
}

var goBasics = map[string]reflect.Type{
	"string": reflect.TypeFor[string](), "bool": reflect.TypeFor[bool](),
	"int": reflect.TypeFor[int](), "int8": reflect.TypeFor[int8](), "int16": reflect.TypeFor[int16](), "int32": reflect.TypeFor[int32](), "int64": reflect.TypeFor[int64](),
	"uint": reflect.TypeFor[uint](), "uint8": reflect.TypeFor[uint8](), "uint16": reflect.TypeFor[uint16](), "uint32": reflect.TypeFor[uint32](), "uint64": reflect.TypeFor[uint64](),
	"float32": reflect.TypeFor[float32](), "float64": reflect.TypeFor[float64](),
}

func goType(t *schema.Type) reflect.Type {
	switch t.Kind {
	case schema.Time:
		return reflect.TypeFor[time.Time]()
	case schema.Duration:
		return reflect.TypeFor[time.Duration]()
	case schema.Bytes:
		return reflect.TypeFor[[]byte]()
	case schema.Pointer:
		return reflect.PointerTo(goType(t.Elem))
	case schema.List:
		return reflect.SliceOf(goType(t.Elem))
	case schema.Array:
		return reflect.ArrayOf(t.Len, goType(t.Elem))
	case schema.Map:
		return reflect.MapOf(goType(t.Key), goType(t.Elem))
	case schema.Inline:
		return goStruct(t.Fields)
	}
	return goBasics[t.Name]
}

// fill sets a value to a random one, often at the edge of its type.
func (g *generator) fill(v reflect.Value) {
	if g.rng.IntN(8) == 0 {
		return // zero
	}
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.Unix(g.rng.Int64N(1<<32), g.rng.Int64N(1e9)).UTC()))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			g.fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), g.rng.IntN(4), 4))
		fallthrough
	case reflect.Array:
		for i := range v.Len() {
			g.fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range g.rng.IntN(3) {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			g.fill(key)
			g.fill(value)
			v.SetMapIndex(key, value)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		g.fill(v.Elem())
	case reflect.String:
		v.SetString([]string{"abcd", "MTIz", "7", "true", "2026-01-02T03:04:05Z", "ü"}[g.rng.IntN(6)])
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float32:
		v.SetFloat(float64(float32(g.rng.NormFloat64())))
	case reflect.Float64:
		v.SetFloat(g.rng.NormFloat64())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(g.rng.Uint64()) >> (64 - v.Type().Bits()) >> g.rng.IntN(v.Type().Bits()))
	default:
		v.SetUint(g.rng.Uint64() >> (64 - v.Type().Bits()) >> g.rng.IntN(v.Type().Bits()))
	}
}
