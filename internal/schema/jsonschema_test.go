package schema_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/dtaskhq/dtask/internal/schema"
)

func compile(t *testing.T, s *schema.Schema) *jsonschema.Schema {
	t.Helper()
	text := s.JSONSchema("test")
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("test.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("test.json")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return compiled
}

func valid(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

func TestJSONSchema(t *testing.T) {
	s := compile(t, parse(t, `to string
user shop.User[int, string]
ids [2]uint8
by map[int]*time.Time
wait time.Duration
raw JSON of encoding/json.RawMessage
n int, as string, may be absent
shop.User[int, string]."a/b~c" base64
shop.User[int, string].boss *shop.User[int, string]
shop.User[int, string].empty Empty`))
	const good = `{"to":"x","user":{"a/b~c":"eA==","boss":{"a/b~c":null,"boss":null,"empty":{}},"empty":{}},"ids":[0,255],"by":{"-1":"2026-01-02T03:04:05Z","2":null},"wait":1,"raw":[1],"n":"7"}`
	if err := valid(t, s, good); err != nil {
		t.Errorf("refused: %v", err)
	}
	for from, to := range map[string]string{
		`"to":"x",`: ``, `"to":"x"`: `"to":null`, `"wait":1`: `"wait":1.5`, `[0,255]`: `[0,256]`, `"raw"`: `"other"`,
		`[0,255]}`: `[0]`, `"empty":{}},"empty"`: `"empty":{"x":1}},"empty"`, `"-1"`: `"x"`, `03:04:05Z`: `3`, `"n":"7"`: `"n":7`, `"eA=="`: `7`,
	} {
		bad := strings.Replace(good, from, to, 1)
		if bad != good && valid(t, s, bad) == nil {
			t.Errorf("%s is valid", bad)
		}
	}
}

// What dtask encodes is valid by its schema. By that of another version it is not, if
// a field is missing, or not known, or of another shape.
func TestJSONSchemaOfRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	refused := 0
	for range 300 {
		g := &generator{rng: rng}
		old := g.schema()
		v := reflect.New(goStruct(old.Fields)).Elem()
		g.fill(v)
		text, err := json.Marshal(v.Interface())
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(t, compile(t, old), string(text)); err != nil {
			t.Fatalf("%s\nis not valid by %s: %v", text, strings.Join(old.Lines(), "; "), err)
		}
		now := g.changed(old)
		for _, c := range schema.Compare(old, now) {
			top := !strings.ContainsAny(strings.SplitN(c.Text, " ", 2)[0], ".[")
			if (c.Rule == schema.FieldAdded || c.Rule == schema.FieldRemoved) && top {
				refused++
				if valid(t, compile(t, now), string(text)) == nil {
					t.Fatalf("%s\nis valid by %s, though %s", text, strings.Join(now.Lines(), "; "), c.Text)
				}
			}
		}
	}
	if refused < 30 {
		t.Errorf("only %d were to be refused", refused)
	}
}
