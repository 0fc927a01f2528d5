package secrets_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/schema"
	"github.com/dtaskhq/dtask/internal/secrets"
)

func parse(t testing.TB, lines ...string) *schema.Schema {
	t.Helper()
	s, err := secrets.Parse(lines)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var user = []string{
	"user User", "token string, secret", "cards map[string][]*Card", "pair [2]{pin int, secret}", "tree []{kids ^1; pin int, secret}",
	"User.password string, secret", "User.friends []*User", "Card.number string, secret",
}

func TestHide(t *testing.T) {
	for _, test := range []struct{ body, want string }{
		{`{}`, `{}`},
		{`{"id":1.50,"token":"abc"}`, `{"id":1.50,"token":"***"}`},
		{`{"TOKEN":{"a":1},"token":null,"Token":[1]}`, `{"TOKEN":"***","token":"***","Token":"***"}`},
		{`{"user":{"name":"a","password":1,"friends":[{"password":"x","friends":[{"password":"y"}]},null]}}`, `{"user":{"name":"a","password":"***","friends":[{"password":"***","friends":[{"password":"***"}]},null]}}`},
		{`{"cards":{"a":[{"number":"1"},null],"number":null}}`, `{"cards":{"a":[{"number":"***"},null],"number":null}}`},
		{`{"pair":[{"pin":1},{"pin":2,"n":[3]}]}`, `{"pair":[{"pin":"***"},{"pin":"***","n":[3]}]}`},
		{`{"tree":[{"kids":[{"pin":1}],"pin":2}]}`, `{"tree":[{"kids":"***","pin":"***"}]}`},
		{`{"user":"password","cards":[{"number":1}],"pair":{"pin":1}}`, `{"user":"***","cards":"***","pair":"***"}`}, // not as the schema has it
		{`{"user":{"pass\u0077ord":1}}`, `{"user":{"pass\u0077ord":"***"}}`},
	} {
		got, err := secrets.Hide([]byte(test.body), secrets.Stars, parse(t, user...))
		if err != nil || string(got) != test.want {
			t.Errorf("%s\nis  %s, %v\nnot %s", test.body, got, err, test.want)
		}
	}
	for _, body := range []string{``, `1`, `[{"token":1}]`, `{"token":1`, `{"token":1}{`, `{"token":}`, "{\"token\"\x00:1}"} {
		if got, err := secrets.Hide([]byte(body), secrets.Stars, parse(t, user...)); err == nil {
			t.Errorf("%q is %s", body, got)
		}
	}
	if got, err := secrets.HideAll([]byte(`{"a":{"b":1},"c":"x"}`), secrets.Stars); err != nil || string(got) != `{"a":"***","c":"***"}` {
		t.Errorf("all: %s, %v", got, err)
	}
	two, err := secrets.Hide([]byte(`{"a":1,"b":2,"c":3}`), secrets.Stars, parse(t, "a int, secret"), parse(t, "b int, secret", "a int, secret"))
	if err != nil || string(two) != `{"a":"***","b":"***","c":3}` {
		t.Errorf("two schemas: %s, %v", two, err)
	}
}

func TestOf(t *testing.T) {
	s := parse(t, "id int", "token string, secret")
	if got := secrets.Of(s.Lines(), s.Fingerprint()); strings.Join(got, ";") != "token string, secret" {
		t.Errorf("secret is %q", got)
	}
	if got := secrets.Of(s.Lines(), "5ca1ab1e"); got != nil {
		t.Errorf("of another fingerprint: %q", got)
	}
	if got := secrets.Of(nil, parse(t).Fingerprint()); got == nil || len(got) > 0 {
		t.Errorf("of no arguments: %q", got)
	}
}

// Each mark brings its own value back, wherever it is moved to.
func TestDrawer(t *testing.T) {
	body := []byte(`{"user":{"password":"p","friends":[{"password":"q"},{"password":{"a":"r"}}]},"token":7,"note":"*** and ***"}`)
	d := secrets.NewDrawer(body)
	masked, err := secrets.Hide(body, d.Put, parse(t, user...), parse(t, user...))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"user":{"password":"****1","friends":[{"password":"****2"},{"password":"****3"}]},"token":"****4","note":"*** and ***"}`
	if string(masked) != want {
		t.Fatalf("masked %s", masked)
	}
	restored := func(text, want string) {
		t.Helper()
		if got, err := d.Restore([]byte(text)); err != nil || string(got) != want {
			t.Errorf("restored %s, %v, want %s", got, err, want)
		}
	}
	restored(string(masked), string(body))
	restored(`{"user": {"friends": [{"password": "****3" }, {"password":"\u002a***2"}]}, "****1": "new", "token": "****4"}`,
		`{"user": {"friends": [{"password": {"a":"r"} }, {"password":"q"}]}, "****1": "new", "token": 7}`)
	restored(`{"token": "****4`, `{"token": "****4`) // whoever reads it says what is wrong
	for _, text := range []string{`{"a":"****5"}`, `{"a":"****"}`, `{"a":"****0"}`, `{"a":"****1 "}`} {
		if got, err := d.Restore([]byte(text)); err == nil {
			t.Errorf("restored %s to %s", text, got)
		}
	}
	if again, _ := secrets.Hide(body, d.Put, parse(t, user...)); string(again) == want {
		t.Error("a mark is used twice")
	}
}

// What is hidden does not show, and comes back.
func FuzzHide(f *testing.F) {
	f.Add(`{"token":"SECRET","user":{"friends":[{"password":"SECRET"}]}}`)
	f.Add(`{"user":{"password":["SECRET",1e3,null],"x":{}},"cards":{"k":[{"number":7}]},"a":"\ud800"}`)
	secret := parse(f, user...)
	f.Fuzz(func(t *testing.T, body string) {
		d := secrets.NewDrawer([]byte(body))
		masked, err := secrets.Hide([]byte(body), d.Put, secret)
		if err != nil {
			return
		}
		restored, err := d.Restore(masked)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		var before, after any
		if json.Unmarshal([]byte(body), &before) == nil {
			a, _ := json.Marshal(before)
			if err := json.Unmarshal(restored, &after); err != nil {
				t.Fatalf("%q: %q: %v", body, restored, err)
			}
			if b, _ := json.Marshal(after); string(a) != string(b) {
				t.Fatalf("%q came back as %q", body, restored)
			}
		}
	})
}
