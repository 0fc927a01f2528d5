package schema_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/schema"
)

func parse(t *testing.T, text string) *schema.Schema {
	t.Helper()
	var lines []string
	if text != "" {
		lines = strings.Split(text, "\n")
	}
	s, err := schema.Parse(lines)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What is parsed is written as it was.
func TestParse(t *testing.T) {
	for _, text := range []string{
		"",
		"to string",
		"to string\nuser User\nUser.name string\nUser.friends []*User",
		"n int, as string, may be absent",
		`"first name" string` + "\n" + `u shop.User` + "\n" + `shop.User."a.b" []base64`,
		"p Pair[int, string]\nPair[int, string].first int\nPair[int, string].second map[string][3]*float64",
		"x {a int; b {}; \"c;}\" JSON of encoding/json.RawMessage, as string; d text of net/netip.Addr, may be absent}",
		"o JSON of example.com/a.Opt[example.com/b.T]\nk map[text of net/netip.Addr][]time.Time",
		"t map[string]^1\nu User#2\nUser#2.x time.Duration",
		"a string, may be absent, was b, was \"c d\"\nx {y {z int, was w}, was v}",
		"t string, secret\nu {a int, as string, may be absent, secret; b []User}\nUser.c map[string]int, secret",
	} {
		if got := strings.Join(parse(t, text).Lines(), "\n"); got != text {
			t.Errorf("parsed\n%s\nand wrote\n%s", text, got)
		}
	}
}

func TestParseBad(t *testing.T) {
	for _, line := range []string{
		"", "to", "to ", " string", "a [", "a [x]int", "a []", "a map[string", "a map[string]", "a {", "a {b int", "a {b int; }",
		`"a string`, "a string,", "a string, may be", "a string extra", "a string, was", `a string, was "b`, "a JSON of ", "a ^", "a *", "a " + strings.Repeat("*", 2000) + "int",
	} {
		if s, err := schema.Parse([]string{line}); err == nil {
			t.Errorf("%q was parsed: %q", line, s.Lines())
		}
	}
}

func TestFingerprint(t *testing.T) {
	a := parse(t, "u User\nUser.name string\nUser.boss *User").Fingerprint()
	if b := parse(t, "u User, secret\nUser.name string, secret\nUser.boss *User").Fingerprint(); b != a {
		t.Error("a secret matters")
	}
	if b := parse(t, "u Person\nPerson.name string\nPerson.boss *Person").Fingerprint(); b != a {
		t.Error("the name of a struct matters")
	}
	if parse(t, "u User, was v\nUser.name string, was n\nUser.boss *User").Fingerprint() != a {
		t.Error("a name of the past matters")
	}
	for _, other := range []string{
		"u User\nUser.name string\nUser.boss *Chef\nChef.name string",
		"u User\nUser.name string, may be absent\nUser.boss *User",
		"v User\nUser.name string\nUser.boss *User",
	} {
		if parse(t, other).Fingerprint() == a {
			t.Errorf("another schema has the same fingerprint:\n%s", other)
		}
	}
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		old, new string
		want     string // the rules and their texts
	}{
		{"a string", "a string", ""},
		{"a string\nb int", "b int\na string", ""},
		{"u User\nUser.a int", "u Person\nPerson.a int", ""},
		{"u User\nUser.a int", "u {a int}", ""},
		{"a string", "b string", "FIELD_REMOVED a is gone; FIELD_ADDED b is new"},
		{"a string", "a string\nb int, may be absent", "FIELD_ADDED_OPTIONAL b is new, and may be absent"},
		{"a string\nb int, may be absent", "a string", "FIELD_REMOVED_OPTIONAL b is gone"},
		{"a int, may be absent", "a int", "FIELD_NARROWED a could be absent"},
		{"a int", "a int, may be absent", ""},
		{"a int", "a int, as string", "FIELD_SHAPE a: its value was in no string, and is in a string now"},
		{"a int32", "a int64", "FIELD_WIDENED a: int32 became int64"},
		{"a uint8", "a int16", "FIELD_WIDENED a: uint8 became int16"},
		{"a int", "a int64", "FIELD_WIDENED a: int became int64"},
		{"a int64", "a int32", "FIELD_NARROWED a: int64 became int32"},
		{"a int8", "a uint64", "FIELD_NARROWED a: int8 became uint64"},
		{"a uint64", "a int64", "FIELD_NARROWED a: uint64 became int64"},
		{"a float32", "a float64", "FIELD_WIDENED a: float32 became float64"},
		{"a float64", "a float32", "FIELD_MEANING a: float64 became float32"},
		{"a int64", "a float64", "FIELD_MEANING a: int64 became float64"},
		{"a int", "a time.Duration", "FIELD_MEANING a: int became time.Duration"},
		{"a string", "a base64", "FIELD_MEANING a: string became base64"},
		{"a string", "a time.Time", "FIELD_MEANING a: string became time.Time"},
		{"a text of net/netip.Addr", "a text of net/netip.Prefix", "FIELD_MEANING a: text of net/netip.Addr became text of net/netip.Prefix"},
		{"a string", "a JSON of x.T", "FIELD_OPAQUE a: string became JSON of x.T"},
		{"a JSON of x.U", "a JSON of x.T", "FIELD_OPAQUE a: JSON of x.U became JSON of x.T"},
		{"a string", "a int", "FIELD_SHAPE a: string became int"},
		{"a string", "a bool", "FIELD_SHAPE a: string became bool"},
		{"a base64", "a []int", "FIELD_SHAPE a: base64 became []int"},
		{"a []int", "a map[string]int", "FIELD_SHAPE a: []int became map[string]int"},
		{"a map[string]int", "a {x int}", "FIELD_MEANING a: map[string]int became {x int}"},
		{"a string", "a *string", "FIELD_WIDENED a: string became *string"},
		{"a *string", "a string", "FIELD_NARROWED a: *string became string"},
		{"a *string", "a *base64", "FIELD_MEANING a: string became base64"},
		{"a string", "a *base64", "FIELD_MEANING a: string became base64"},
		{"a [3]int", "a []int", "FIELD_WIDENED a: [3]int became []int"},
		{"a []int", "a [3]int", "FIELD_NARROWED a: []int became [3]int"},
		{"a [3]int", "a [4]int", "FIELD_SHAPE a: [3]int became [4]int"},
		{"a []string", "a []base64", "FIELD_MEANING a[]: string became base64"},
		{"a [2]string", "a []base64", "FIELD_WIDENED a: [2]string became []base64; FIELD_MEANING a[]: string became base64"},
		{"a map[string]int", "a map[int]int", "FIELD_MEANING a: its keys were string, and are int now"},
		{"a map[int8]int", "a map[int]int", "FIELD_WIDENED a: its keys were int8, and are int now"},
		{"u User\nUser.name string\nUser.boss *User", "u User\nUser.name base64\nUser.boss *User", "FIELD_MEANING u.name: string became base64"},
		{"a string", "b string, was a", "FIELD_RENAMED b was a"},
		{"a int32", "b int64, was a", "FIELD_RENAMED b was a; FIELD_WIDENED b: int32 became int64"},
		{"a string", "b base64, was a", "FIELD_RENAMED b was a; FIELD_MEANING b: string became base64"},
		{"a string, may be absent", "b string, was a", "FIELD_RENAMED b was a; FIELD_NARROWED b could be absent"},
		{"a string, may be absent\nb string, may be absent", "b string, may be absent, was a", "FIELD_REMOVED a is gone, and b cannot take its place, as b was there, too"},
		{"a string\nc string", "b string, was a, was c", "FIELD_REMOVED a is gone, and b cannot take its place, as c was there, too; FIELD_REMOVED c is gone, and b cannot take its place, as a was there, too"},
		{"b string", "b string, was a", ""},
		{"u []User\nUser.a {x int}", "v []User, was u\nUser.b {y int, was x}, was a", "FIELD_RENAMED v was u; FIELD_RENAMED v[].b was a; FIELD_RENAMED v[].b.y was x"},
		{"t map[string]^1", "t map[string]^2", "FIELD_SHAPE t[]: ^1 became ^2"},
	} {
		var got []string
		for _, change := range schema.Compare(parse(t, c.old), parse(t, c.new)) {
			got = append(got, string(change.Rule)+" "+change.Text)
		}
		if strings.Join(got, "; ") != c.want {
			t.Errorf("%q -> %q:\ngot  %s\nwant %s", c.old, c.new, strings.Join(got, "; "), c.want)
		}
	}
}

// A verdict is as bad as the worst change.
func TestWorst(t *testing.T) {
	of := func(rules ...schema.Rule) schema.Verdict {
		var changes []schema.Change
		for _, r := range rules {
			changes = append(changes, schema.Change{Rule: r})
		}
		return schema.Worst(changes)
	}
	if of() != schema.Reads || of(schema.FieldWidened, schema.FieldNarrowed) != schema.ByValue ||
		of(schema.FieldMeaning, schema.FieldNarrowed) != schema.Refuses {
		t.Error("not the worst verdict")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("to string\nuser User\nUser.name [3]*map[text of a.T]{x int; y JSON of z}")
	f.Add(`"a b" string, as string, may be absent, was c`)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := schema.Parse(strings.Split(text, "\n"))
		if err != nil {
			return
		}
		again, err := schema.Parse(s.Lines())
		if err != nil || !slices.Equal(again.Lines(), s.Lines()) || again.Fingerprint() != s.Fingerprint() {
			t.Fatalf("%q became %q: %v", text, s.Lines(), err)
		}
		if changes := schema.Compare(s, again); len(changes) > 0 {
			t.Fatalf("%q differs from itself: %v", text, changes)
		}
	})
}
