package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/dtaskhq/dtask/internal/schema"
)

// argumentFlags are the flags of the arguments of a task: --to, --user.id.
type argumentFlags struct{ all []*argumentFlag }

// maxFlagDepth is how deep structs have flags for their fields. Deeper ones are JSON.
const maxFlagDepth = 3

// An argumentFlag is the value of a flag, as JSON.
type argumentFlag struct {
	name string
	path []string
	typ  *schema.Type
	text []string // as JSON: several for a list
}

// newArgumentFlags adds a flag for each argument, and for each field of one that is a
// struct.
func newArgumentFlags(flags *pflag.FlagSet, s *schema.Schema) *argumentFlags {
	a := new(argumentFlags)
	a.add(flags, s, nil, s.Fields)
	return a
}

func (a *argumentFlags) add(flags *pflag.FlagSet, s *schema.Schema, path []string, fields []schema.Field) {
	for _, f := range fields {
		path := append(slices.Clip(path), f.Name)
		t := f.Type
		for t.Kind == schema.Pointer && !f.Quoted {
			t = t.Elem
		}
		var inner []schema.Field
		switch t.Kind {
		case schema.Ref:
			inner = s.Struct(t.Name)
		case schema.Inline:
			inner = t.Fields
		}
		if len(inner) > 0 && len(path) < maxFlagDepth {
			a.add(flags, s, path, inner)
		}
		name := strings.Join(path, ".")
		if flags.Lookup(name) != nil || name == "url" || name == "output" || name == "help" {
			name = "arg." + name // a flag of the command itself has this name
		}
		if flags.Lookup(name) != nil || strings.ContainsAny(name, "= ") {
			continue // --args can say it
		}
		v := &argumentFlag{name: name, path: path, typ: t}
		if f.Quoted {
			v.typ = &schema.Type{Kind: schema.JSON, Name: "a string"}
		}
		flags.Var(v, name, usageOf(f))
		a.all = append(a.all, v)
	}
}

func usageOf(f schema.Field) string {
	text := f.Type.String()
	if f.Optional {
		text += ", may be left out"
	}
	if f.Secret {
		text += ", secret"
	}
	return text
}

// String implements [pflag.Value].
func (v *argumentFlag) String() string { return "" }

// Type implements [pflag.Value].
func (v *argumentFlag) Type() string {
	t := v.typ
	if t.Kind == schema.List {
		t = t.Elem
	}
	switch t.Kind {
	case schema.Basic:
		return t.Name
	case schema.Time:
		return "time"
	case schema.Duration:
		return "duration"
	case schema.Text:
		return "text"
	case schema.Bytes:
		return "base64"
	}
	return "JSON"
}

// Set implements [pflag.Value].
func (v *argumentFlag) Set(text string) error {
	if v.typ.Kind == schema.List && !strings.HasPrefix(text, "[") {
		element, err := literal(v.typ.Elem, text)
		v.text = append(v.text, element)
		return err
	}
	value, err := literal(v.typ, text)
	v.text = []string{value}
	return err
}

// literal returns what was typed as JSON of a type. Whether it fits exactly the decoder
// of the task says later.
func literal(t *schema.Type, text string) (string, error) {
	switch t.Kind {
	case schema.Basic:
		switch t.Name {
		case "string":
			return quote(text), nil
		case "bool":
			b, err := strconv.ParseBool(text)
			if err != nil {
				return "", fmt.Errorf("use true or false")
			}
			return strconv.FormatBool(b), nil
		}
		if !json.Valid([]byte(text)) {
			return "", fmt.Errorf("use a number")
		}
		return text, nil
	case schema.Time:
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			return "", fmt.Errorf("write a time as 2026-01-31T15:04:05Z")
		}
		return quote(text), nil
	case schema.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return "", fmt.Errorf("write a duration as 90s or 1h30m")
		}
		return strconv.FormatInt(int64(d), 10), nil
	case schema.Text, schema.Bytes:
		return quote(text), nil
	}
	if !json.Valid([]byte(text)) {
		return "", fmt.Errorf("%s is written as JSON", t)
	}
	return text, nil
}

func quote(text string) string {
	q, _ := json.Marshal(text)
	return string(q)
}

// value returns the JSON of the flag.
func (v *argumentFlag) value() string {
	if v.typ.Kind == schema.List && (len(v.text) != 1 || !strings.HasPrefix(v.text[0], "[")) {
		return "[" + strings.Join(v.text, ",") + "]"
	}
	return v.text[0]
}

// json returns arguments with the flags that were given in them.
func (a *argumentFlags) json(flags *pflag.FlagSet, arguments []byte) ([]byte, error) {
	changed := false
	root := make(map[string]any)
	d := json.NewDecoder(bytes.NewReader(arguments))
	d.UseNumber()
	for _, v := range a.all {
		if !flags.Changed(v.name) {
			continue
		}
		if !changed {
			if err := d.Decode(&root); err != nil || root == nil {
				return nil, usagef("--args: use a JSON object, as {\"to\":\"a@b.org\"}")
			}
		}
		changed = true
		into := root
		for _, name := range v.path[:len(v.path)-1] {
			next, ok := into[name].(map[string]any)
			if !ok && into[name] != nil {
				return nil, usagef("--%s: %s is given as a whole", v.name, name)
			}
			if next == nil {
				next = make(map[string]any)
				into[name] = next
			}
			into = next
		}
		last := v.path[len(v.path)-1]
		if _, taken := into[last]; taken {
			return nil, usagef("--%s: it is given already", v.name)
		}
		into[last] = json.RawMessage(v.value())
	}
	if !changed {
		return arguments, nil
	}
	return json.Marshal(root)
}

// example returns flags for an example.
func (a *argumentFlags) example() string {
	if a == nil || len(a.all) == 0 {
		return ""
	}
	v := a.all[0]
	for _, other := range a.all {
		if len(other.path) == 1 { // rather a whole argument
			v = other
			break
		}
	}
	value := map[string]string{"string": "text", "time": "2026-01-31T15:04:05Z", "duration": "90s", "bool": "true", "JSON": "'{}'", "text": "text", "base64": "AAAA"}[v.Type()]
	if value == "" {
		value = "7"
	}
	return " --" + v.name + " " + value
}
