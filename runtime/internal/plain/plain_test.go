package plain

import (
	"encoding/json"
	"math"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	jsonv1 "github.com/go-json-experiment/json/v1"
)

type arguments struct {
	S       string
	Named   name `json:"named"`
	B       bool `json:"b"`
	I       int  `json:"i"`
	I8      int8
	Took    time.Duration `json:"took"`
	U       uint64        `json:"u"`
	U8      uint8
	F       float64   `json:"f"`
	G       float32   `json:"g"`
	At      time.Time `json:"at"`
	hidden  int
	Ignored map[string]any `json:"-"`
	Words   []string       `json:"words"`
	Numbers []int16        `json:"numbers"`
	To      *name          `json:"to"`
	Inner   inner          `json:"inner-most_1"`
	Inners  []*inner       `json:"inners"`
}

type name string

type inner struct {
	X []float64 `json:"x"`
	Y *bool     `json:"y"`
}

func TestPlainTypes(t *testing.T) {
	type pointed *arguments
	for _, v := range []any{
		arguments{},
		inner{},
		"", name(""), 0, uint8(0), 1.5, float32(0), true,
		time.Time{},
		time.Second,
		[]string{},
		[][]int{},
		new(string), new(*string), pointed(nil),
		[]time.Time{},
		struct{ A, B []name }{},
	} {
		if codecOf(reflect.TypeOf(v)) == nil {
			t.Errorf("%T is not plain", v)
		}
	}

	type embedded struct{ inner }
	type embeddedTime struct{ time.Time }
	type tree struct{ Kids []tree }
	type list struct{ Next *list }
	for _, v := range []any{
		embedded{},
		embeddedTime{},
		tree{},
		list{},
		map[string]int{},
		[]any{},
		[2]int{},
		[]byte{},
		complex(1, 1), uintptr(0), func() {},
		struct{}{},
		json.Number(""),
		json.RawMessage{},
		netip.Addr{},
		[]netip.Addr{},
		struct{ A *netip.Addr }{},
		byPointer(""),
		[]byPointer{},
		struct {
			A int `json:"a,omitempty"`
		}{},
		struct {
			A int `json:",string"`
		}{},
		struct {
			A int `json:"<a>"`
		}{},
		struct {
			A int `json:"é"`
		}{},
		struct {
			A int `json:"B"`
			B int
		}{},
	} {
		if codecOf(reflect.TypeOf(v)) != nil {
			t.Errorf("%T is plain", v)
		}
	}
}

type byPointer string

func (*byPointer) UnmarshalText([]byte) error { return nil }

// check checks that args, encoded here, is what package json gives, and
// that it decodes here, if at all, to what encoding/json gives.
func check(t *testing.T, args arguments) (decoded bool) {
	t.Helper()
	want, err := jsonv1.Marshal(&args)
	body, ok := Encode(&args)
	if ok != (err == nil) || ok && string(body) != string(want) {
		t.Fatalf("%+v encodes to\n%s, %v; package json has\n%s, %v", args, body, ok, want, err)
	}
	return ok && checkDecodePlain(t, body)
}

func checkDecodePlain(t *testing.T, body []byte) bool {
	t.Helper()
	var got, want arguments
	ok := Decode(body, &got)
	err := error(nil)
	if ok {
		err = json.Unmarshal(body, &want)
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("%s decodes to\n%+v, %v; encoding/json has\n%+v, %v", body, got, ok, want, err)
	}
	return ok
}

func TestPlain(t *testing.T) {
	if !check(t, arguments{}) {
		t.Error("the zero value does not decode")
	}
	for _, c := range []struct {
		decodes bool
		set     []func(*arguments)
	}{
		{true, []func(*arguments){
			func(a *arguments) { a.hidden, a.Ignored = 1, map[string]any{"x": 1} },
			func(a *arguments) { a.S, a.Named = "plain", "\x7f ~" },
			func(a *arguments) { a.S = "Grüße, 世界 \U0001f600 \ufffd \u2027" },
			func(a *arguments) { a.S = "<&> \"quoted\" back\\slash \n\t\r\b\f\x00\x1f \u2028\u2029" },
			func(a *arguments) { a.S = strings.Repeat("long ", 100) },
			func(a *arguments) { a.S = "not UTF-8 \xff\xc3 \xed\xa0\x80" },
			func(a *arguments) { a.I, a.I8, a.Took = math.MinInt, math.MinInt8, math.MaxInt64 },
			func(a *arguments) { a.U, a.U8 = math.MaxUint64, math.MaxUint8 },
			func(a *arguments) { a.F, a.G = -1.25, 0.1 },
			func(a *arguments) { a.F, a.G = math.Copysign(0, -1), 16777216 },
			func(a *arguments) { a.F, a.G = 1e20, 1e-6 },
			func(a *arguments) { a.F, a.G = 0.001, 123456.79 },
			func(a *arguments) { a.B, a.At = true, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC) },
			func(a *arguments) { a.At = time.Date(9999, 1, 2, 3, 4, 5, 0, time.FixedZone("", -3600*5-1800)) },
			func(a *arguments) { a.Words, a.Numbers = []string{}, []int16{} },
			func(a *arguments) {
				a.Words, a.Numbers = []string{"", "a", "b", "c", "d", "e"}, []int16{1, -1, 0, 9, 8, 7, 6, 5, 4}
			},
			func(a *arguments) { a.To = new(name) },
			func(a *arguments) { a.Inner = inner{[]float64{1, 2.5}, new(bool)} },
			func(a *arguments) { a.Inners = []*inner{nil, {}, {Y: new(bool)}} },
		}},
		{false, []func(*arguments){
			func(a *arguments) { a.F = math.NaN() },
			func(a *arguments) { a.G = float32(math.Inf(1)) },
			func(a *arguments) { a.F = 1e21 },
			func(a *arguments) { a.G = 1e-7 },
			func(a *arguments) { a.At = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
			func(a *arguments) { a.At = time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("", 24*3600)) },
		}},
	} {
		for _, set := range c.set {
			var args arguments
			set(&args)
			if check(t, args) != c.decodes {
				t.Errorf("decodes here: %v; %+v", !c.decodes, args)
			}
		}
	}
}

// Whatever encoding does not give is refused. Package json knows what it means.
func TestDecodePlainRefuses(t *testing.T) {
	body, _ := Encode(&arguments{S: "s", I: 1, F: 1.5, Words: []string{"a", "b"}})
	for _, c := range []struct{ from, to string }{
		{`{"S"`, ` {"S"`},
		{`{"S"`, `{ "S"`},
		{`{"S":`, `{"S": `},
		{`{"S"`, `{"s"`},
		{`{"S"`, `{"new":1,"S"`},
		{`{"S":"s",`, `{`},
		{`{"S":"s"`, `{"S":"s","S":"s"`},
		{`"s"`, `null`},
		{`"s"`, `7`},
		{`"s"`, `"s`},
		{`"s"`, `"\`},
		{`"s"`, `"\ud800"`},
		{`"s"`, `"\x"`},
		{`"s"`, "\"\x01\""},
		{`"s"`, "\"\xff\""},
		{`"b":false`, `"b":null`},
		{`"b":false`, `"b":0`},
		{`"b":false`, `"b":falsey`},
		{`"i":1`, `"i":1.0`},
		{`"i":1`, `"i":1e0`},
		{`"i":1`, `"i":01`},
		{`"i":1`, `"i":+1`},
		{`"i":1`, `"i":-`},
		{`"i":1`, `"i":`},
		{`"i":1`, `"i":"1"`},
		{`"i":1`, `"i":9223372036854775808`},
		{`"I8":0`, `"I8":128`},
		{`"u":0`, `"u":-1`},
		{`"u":0`, `"u":-0`},
		{`"u":0`, `"u":1_0`},
		{`1.5`, `1.`},
		{`1.5`, `.5`},
		{`1.5`, `-.5`},
		{`1.5`, `1.5e0`},
		{`1.5`, `0x1p3`},
		{`1.5`, `inf`},
		{`1.5`, `01.5`},
		{`"0001-01-01T00:00:00Z"`, `"yesterday"`},
		{`"0001-01-01T00:00:00Z"`, `null`},
		{`"0001-01-01T00:00:00Z"`, `"\u0030001-01-01T00:00:00Z"`},
		{`["a","b"]`, `["a","b",]`},
		{`["a","b"]`, `[,"a"]`},
		{`["a","b"]`, `["a" ,"b"]`},
		{`["a","b"]`, `["a","b"`},
		{`["a","b"]`, `[`},
		{`["a","b"]`, `{}`},
		{string(body), string(body) + " "},
		{string(body), string(body) + "{}"},
		{string(body), ""},
		{string(body), "null"},
		{`null}`, `null`},
	} {
		changed := strings.Replace(string(body), c.from, c.to, 1)
		if changed == string(body) {
			t.Errorf("%s is not in %s", c.from, body)
		}
		if checkDecodePlain(t, []byte(changed)) {
			t.Errorf("decodes here: %s", changed)
		}
	}
	for i := range body {
		if checkDecodePlain(t, body[:i]) {
			t.Errorf("decodes here: %s", body[:i])
		}
	}
}

func FuzzEncode(f *testing.F) {
	f.Add("s", "t", int64(1), uint64(1), 1.5, float32(1.5), int64(1), int64(1), 3600)
	f.Add("\u2028<", "\xff", int64(math.MinInt64), uint64(math.MaxUint64), 1e21, float32(1e-7), int64(-1<<40), int64(5), 1)
	f.Fuzz(func(t *testing.T, s, u string, i int64, n uint64, x float64, y float32, sec, nsec int64, zone int) {
		check(t, arguments{
			S: s, Named: name(u), B: i > 0, I: int(i), I8: int8(i), Took: time.Duration(i), U: n, U8: uint8(n), F: x, G: y,
			At: time.Unix(sec, nsec).In(time.FixedZone("", zone)), Words: []string{s, u}, Numbers: []int16{int16(i)},
			To: (*name)(&u), Inner: inner{X: []float64{x, float64(y), float64(i)}}, Inners: []*inner{nil, {}},
		})
	})
}

func FuzzDecode(f *testing.F) {
	for _, args := range []arguments{{}, {S: "<", Words: []string{"a", "b"}, F: 1.5, To: new(name), Inners: []*inner{nil, {}}}} {
		body, _ := Encode(&args)
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) { checkDecodePlain(t, body) })
}
