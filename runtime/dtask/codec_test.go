package dtask

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

type address struct {
	City string `json:"city"`
	Zip  *int   `json:"zip"`
}

type base struct {
	Tenant string `json:"tenant"`
}

type orderArgs struct {
	base
	To      string             `json:"to"`
	Home    address            `json:"home"`
	Others  []address          `json:"others"`
	ByName  map[string]address `json:"byName"`
	At      time.Time          `json:"at"`
	Data    []byte             `json:"data"`
	Pair    [2]int             `json:"pair"`
	Note    string             `json:"note,omitempty"`
	Count   int64              `json:"count,string"`
	Ignored string             `json:"-"`
}

const exactOrder = `{"tenant":"t","to":"a","home":{"city":"x","zip":7},"others":[{"city":"y","zip":null}],
	"byName":{"k":{"city":"z","zip":1}},"at":"2026-01-02T03:04:05Z","data":"aGk=","pair":[1,2],"count":"9"}`

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		name, from, to string // the change made to exactOrder
		same           string // the error with our own fingerprint
		other          string // the error with another one
	}{
		{"exact", "", "", "", ""},
		{"renamed", `"to":`, `"recipient":`, "", "has field recipient, this build wants to"},
		{"unknown", `{"tenant"`, `{"new":1,"tenant"`, "", "has field new, which this build does not know"},
		{"missing", `"pair":[1,2],`, ``, "", "has no field pair, which this build wants"},
		{"missing in an embedded struct", `"tenant":"t",`, ``, "", "has no field tenant, which this build wants"},
		{"optional", `"pair"`, `"note":"n","pair"`, "", ""},
		{"other case", `"to"`, `"To"`, "", "has field To, this build wants to"},
		{"nested", `"city":"x"`, `"town":"x"`, "", "has field home.town, this build wants home.city"},
		{"in a slice", `"city":"y"`, `"town":"y"`, "", "has field others[0].town, this build wants others[0].city"},
		{"in a map", `"city":"z"`, `"town":"z"`, "", `has field byName["k"].town, this build wants byName["k"].city`},
		{"null", `"to":"a"`, `"to":null`, "", "field to is null, this build wants string"},
		{"null slice", `[{"city":"y","zip":null}]`, `null`, "", ""},
		{"short array", `[1,2]`, `[1]`, "", "field pair has 1 elements, this build wants 2"},
		{"other type", `"to":"a"`, `"to":7`, "cannot be decoded", "field to is a number, this build wants string"},
		{"other type in time", `"2026-01-02T03:04:05Z"`, `7`, "cannot be decoded", "at"},
		{"array for an object", exactOrder, `[]`, "cannot be decoded", "has an array for arguments, this build wants an object"},
		{"null for an object", exactOrder, `null`, "", "has null for arguments, this build wants an object"},
		{"cut", exactOrder, exactOrder[:40], "cannot be decoded", "cannot be decoded"},
		{"empty", exactOrder, ``, "cannot be decoded", "cannot be decoded"},
		{"garbage", exactOrder, "\x00\xff", "cannot be decoded", "cannot be decoded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := strings.Replace(exactOrder, c.from, c.to, 1)
			for schema, want := range map[string]string{"ours": c.same, "theirs": c.other, "": c.other} {
				var args orderArgs
				err := decode(t.Context(), &Message{Body: []byte(body), Schema: schema}, oursSpec, &args)
				if want == "" {
					if err != nil {
						t.Errorf("schema %q: %v", schema, err)
					}
					continue
				}
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("schema %q: error %v, want %q", schema, err, want)
					continue
				}
				var foreign *foreignError
				if wantForeign := !strings.Contains(want, "cannot be decoded"); errors.As(err, &foreign) != wantForeign {
					t.Errorf("schema %q: error of type %T", schema, err)
				}
			}
		})
	}
}

func TestEncodeDecode(t *testing.T) {
	zip := 7
	want := orderArgs{
		base: base{"t"}, To: "ü\u2028<&>", Home: address{"x", &zip}, Others: []address{}, ByName: nil,
		At: time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.FixedZone("", 3600)), Data: []byte{0, 255}, Pair: [2]int{-1, 1}, Count: -1 << 63,
	}
	body, err := encode(&want)
	if err != nil {
		t.Fatal(err)
	}
	for _, schema := range []string{"ours", "theirs"} {
		var got orderArgs
		if err := decode(t.Context(), &Message{Body: body, Schema: schema}, oursSpec, &got); err != nil {
			t.Fatal(err)
		}
		if !got.At.Equal(want.At) {
			t.Errorf("time %v, want %v", got.At, want.At)
		}
		got.At = want.At
		if !reflect.DeepEqual(got, want) {
			t.Errorf("decoded\n%+v, want\n%+v", got, want)
		}
	}
}

// Whatever a body holds, it decodes or is refused. There is no panic, and never a
// value that the body of another build does not have.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(exactOrder), "ours")
	f.Add([]byte(exactOrder), "theirs")
	f.Add([]byte(`{"others":[null,{}],"byName":{"":null}}`), "")
	f.Fuzz(func(t *testing.T, body []byte, schema string) {
		var args orderArgs
		err := decode(t.Context(), &Message{Body: body, Schema: schema}, oursSpec, &args)
		var foreign *foreignError
		var undecodable *undecodableError
		switch {
		case err == nil:
			if _, err := encode(&args); err != nil {
				t.Errorf("decoded, but does not encode: %v", err)
			}
		case errors.As(err, &foreign):
			if schema == "ours" {
				t.Errorf("our own fingerprint is called foreign: %v", err)
			}
		case !errors.As(err, &undecodable):
			t.Errorf("error of type %T: %v", err, err)
		}
	})
}

func TestNewID(t *testing.T) {
	now := time.UnixMilli(0x0123456789ab)
	seen := make(map[string]bool)
	for range 1000 {
		id := newID(now)
		if len(id) != 36 || id[:13] != "01234567-89ab" || id[14] != '7' || !strings.ContainsRune("89ab", rune(id[19])) ||
			id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' || strings.Trim(id, "0123456789abcdef-") != "" {
			t.Fatalf("%q is not a UUIDv7 of its time", id)
		}
		if seen[id] {
			t.Fatalf("%q given twice", id)
		}
		seen[id] = true
	}
	if a, b := newID(now), newID(now.Add(time.Millisecond)); a >= b {
		t.Errorf("%q of an earlier millisecond does not sort before %q", a, b)
	}
}

// oursSpec is the policy of a task whose arguments were of another version.
var oursSpec = &Spec{Schema: "ours", Earlier: []Earlier{{Schema: "theirs"}}}
