package form

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/schema"
)

var all = []string{
	"to string", "user User", "n int64", "small uint8", "share float64", "loud bool", "since time.Time", "wait time.Duration",
	"raw []byte", "limit *int", "note *string", "channels []string", "pair [2]int", "by map[string]int", "any JSON of x.Raw",
	"maybe string, may be absent", "count int, may be absent", "id int64, as string", "boss *User", "friends []User",
	"User.name string", "User.token string, secret", "User.a/b~c int", "User.boss *User",
}

func parsed(t *testing.T, lines ...string) *schema.Schema {
	t.Helper()
	s, err := schema.Parse(lines)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// filled returns what a browser sends of a form as it is.
func filled(fields []Field) url.Values {
	sent := url.Values{}
	for _, f := range fields {
		if f.State != "" {
			sent.Set(f.StateName(), f.State)
		}
		switch f.Input {
		case "", "group", "list":
		default:
			sent.Set(f.Name(), strings.ReplaceAll(f.Value, "\n", "\r\n"))
		}
		maps.Copy(sent, filled(f.Fields))
	}
	return sent
}

func compact(t *testing.T, raw []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return b.String()
}

// A form that is sent as it was is the object that it was made of.
func TestUnchanged(t *testing.T) {
	const user = `{"name":"a","token":"***1","a/b~c":7,"boss":null}`
	s := parsed(t, all...)
	for _, object := range []string{
		`{"to":"a\nb <script>","user":` + user + `,"n":9007199254740993,"small":255,"share":0.1,"loud":true,"since":"2026-01-02T03:04:05Z","wait":5400000000000,` +
			`"raw":"dGV4dA==","limit":null,"note":null,"channels":null,"pair":[1,2],"by":{"x":1},"any":[1,{"y":null}],"id":"9007199254740993","boss":null,"friends":[]}`,
		`{"to":"","user":` + user + `,"n":0,"small":0,"share":1e3,"loud":false,"since":"2026-01-02T03:04:05Z","wait":-1,` +
			`"raw":"","limit":7,"note":"","channels":["","b"],"pair":[1,2],"by":null,"any":null,"maybe":"","count":3,"id":"-1","boss":` + user + `,"friends":[` + user + `,` + user + `]}`,
		`{"to":"x","user":{"name":"a","token":"***1","a/b~c":7,"boss":{"name":"b","token":"***2","a/b~c":0,"boss":null},"foreign":[1]},"n":1,"small":1,"share":1,"loud":true,"since":"2026-01-02T03:04:05Z","wait":0,` +
			`"raw":"","limit":null,"note":null,"channels":[],"pair":[0,0],"by":{},"any":"s","id":"0","boss":null,"friends":null,"more":{"x":1}}`,
		string(s.Sample()),
	} {
		fields := Fields(s, []byte(object), "***1", nil)
		got, wrong, again := Read(s, []byte(object), "***1", filled(fields))
		if len(wrong) > 0 || again {
			t.Errorf("wrong: %v, again: %v", wrong, again)
		}
		if got, want := compact(t, got), compact(t, []byte(object)); got != want {
			t.Errorf("read\n%s, want\n%s", got, want)
		}
	}
}

// What was changed in a form is read as the type demands, or the form says what is wrong.
func TestChanged(t *testing.T) {
	s := parsed(t, "n int64", "small uint8", "wait time.Duration", "since time.Time", "loud bool", "limit *int", "note *string",
		"channels []string", "user User", "raw JSON of x.Raw", "User.token string, secret", "User.age int, may be absent")
	const object = `{"n":1,"small":2,"wait":0,"since":"2026-01-02T03:04:05Z","loud":true,"limit":7,"note":"x","channels":["a","b"],"user":{"token":"***1","age":3},"raw":{}}`
	for _, c := range []struct{ change, want, wrong string }{
		{"form-value:/n=9007199254740993", `"n":9007199254740993`, ""},
		{"form-value:/n=90071992547409930000", "", "/n: \"90071992547409930000\" is not int64: that is a whole number from -9223372036854775808 to 9223372036854775807"},
		{"form-value:/n=1.5", "", "/n: \"1.5\" is not int64"},
		{"form-value:/n=", "", "/n: a value is missing"},
		{"form-value:/small=256", "", "whole number from 0 to 255"},
		{"form-value:/wait=1h30m", `"wait":5400000000000`, ""},
		{"form-value:/wait=soon", "", `"soon" is no duration`},
		{"form-value:/since=monday", "", `"monday" is no time`},
		{"form-value:/loud=maybe", "", "neither true nor false"},
		{"form-value:/limit=", `"limit":null`, ""},
		{"form-remove=/note", `"note":null`, ""},
		{"form-add=/channels", `"channels":["a","b",""]`, ""},
		{"form-remove=/channels/0", `"channels":["b"]`, ""},
		{"form-replace=/user/token", `"token":""`, ""},
		{"form-value:/user/token=new", `"token":"new"`, ""},
		{"form-value:/user/age=", `"user":{"token":"***1"}`, ""},
		{"form-value:/raw={", `"raw":"{"`, "/raw: this is no JSON"},
		{"form-value:/raw=[1]", `"raw":[1]`, ""},
	} {
		sent := filled(Fields(s, []byte(object), "***1", nil))
		name, value, _ := strings.Cut(c.change, "=")
		sent.Set(name, value)
		got, wrong, again := Read(s, []byte(object), "***1", sent)
		if again != !strings.HasPrefix(name, "form-value") {
			t.Errorf("%s: again %v", c.change, again)
		}
		said := ""
		for path, text := range wrong {
			said += path + ": " + text
		}
		if !strings.Contains(string(got), c.want) || !strings.Contains(said, c.wrong) || (c.wrong == "") != (said == "") {
			t.Errorf("%s: %s, wrong %q; want %s, %q", c.change, got, said, c.want, c.wrong)
		}
		if c.wrong != "" {
			typed := filled(Fields(s, got, "***1", wrong))[name]
			if typed[0] != value {
				t.Errorf("%s: the form has %q again", c.change, typed)
			}
		}
	}
}

// An object that is not as its schema says is shown whole all the same.
func TestMisfit(t *testing.T) {
	s := parsed(t, "n int", "user User", "list []int", "User.name string")
	const object = `{"n":{"x":1},"user":7,"list":"no","more":true}`
	got, _, _ := Read(s, []byte(object), "", filled(Fields(s, []byte(object), "", nil)))
	var as map[string]json.RawMessage
	if err := json.Unmarshal(got, &as); err != nil || compact(t, as["user"]) != "7" || compact(t, as["list"]) != `"no"` || compact(t, as["more"]) != "true" {
		t.Errorf("%s, %v", got, err)
	}
	if text := string(Empty(s)); text != `{"n":0,"user":{"name":""},"list":[]}` {
		t.Errorf("to begin with: %s", text)
	}
}
