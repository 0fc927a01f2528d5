package schema_test

import "testing"

func TestShape(t *testing.T) {
	for lines, want := range map[string]string{
		"a *int64\nb []User\nc string, may be absent\nUser.raw JSON of encoding/json.RawMessage\nUser.on bool": `{"structs":{` +
			`"":{"kinds":["object"],"fields":{"a":{"kinds":["number","null"]},"b":{"kinds":["array","null"],"of":{"kinds":["object"],"struct":"User"}},"c":{"kinds":["string"],"optional":true}}},` +
			`"User":{"kinds":["object"],"fields":{"on":{"kinds":["boolean"]},"raw":{}}}}}`,
		"a [2]time.Time\nb map[string]time.Duration\nc base64": `{"structs":{"":{"kinds":["object"],"fields":{"a":{"kinds":["array"],"of":{"kinds":["string"]},"len":2},` +
			`"b":{"kinds":["object","null"],"of":{"kinds":["number"]}},"c":{"kinds":["string","null"]}}}}}`,
		"tree map[string]^1": "",
	} {
		s := parse(t, lines)
		if got := string(s.Shape()); got != want {
			t.Errorf("%s\nhas the shape %s\nwant %s", lines, got, want)
		}
	}
}
