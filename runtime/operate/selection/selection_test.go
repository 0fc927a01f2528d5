package selection

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func sample() broker.Stored {
	return broker.Stored{State: broker.StateDead, At: now.Add(-time.Minute), Message: &broker.Message{
		ID: "0189-1", Task: "github.com/acme/shop/mail.Mailer.Send", Queue: "mail", Schema: "ab12",
		Attempt: 3, EnqueuedAt: now.Add(-2 * time.Hour),
		Body: []byte(`{"user":{"id":7,"name":"Bob, \"B\""},"ids":[9007199254740993,2],"price":1.50,"on":true,"none":null,"7":"seven"}`),
		Failures: []broker.Failure{
			{Kind: broker.FailurePanic, Error: "nil map"},
			{Kind: broker.FailureTimeout, Error: "no answer: Timeout, after 30s"},
		},
	}}
}

func TestMatches(t *testing.T) {
	for want, texts := range map[bool][]string{
		true: {
			"", " ", "task:mail.*", "task:github.com/acme/shop/mail.Mailer.Send", "task~mailer", "queue:mail", "queue:x,m*", "queue~AI",
			"state:dead", "state:ready,dead", "schema:ab12", "schema:*", "id:0189-1", "id:0189-*", "error~timeout", `error~"answer: Time"`,
			"kind:timeout", "kind:panic,timeout", "attempt:3", "attempt>2", "attempt<4", "age>1h", "age<1d", "for<5m", "for>59s",
			"args.user.id:7", "args.user.id:8,7", "args.user.id>6.5", "args.user.id<8", "args.user.name~bob", `args.user.name:Bob*`,
			"args.ids.0:9007199254740993", "args.ids.1:2", "args.price:1.5", "args.on:true", "args.none:null", "args.7:seven",
			"args.user~name", "-state:ready", "-task:images.*", "-args.user.id:8", "-args.nothing:1", "-error~disk",
			"task:mail.* state:dead args.user.id:7 error~\"timeout\" age>1h schema:ab12 queue:mail",
			"queue:mail queue:m*", "age>1h age<3h", "age>1h age>90m",
		},
		false: {
			"task:ail.*", "task:Mailer.Send", "queue:mai", "state:ready", "state:ready,delayed,running", "schema:ab", "id:0189-2", "error~panic",
			"error:timeout", "kind:panic", "attempt:2", "attempt>3", "attempt<3", "age<1h", "age>3h", "for>1m",
			"args.user.id:77", "args.user.id>7", "args.user.name>1", "args.ids.0:9007199254740992", "args.ids.2:2", "args.ids.x:2", "args.ids.-1:2",
			"args.user:7", "args.nothing:null", "args.on:1", "args.price:1.51", "-state:dead", "-task:mail.*", "-id:0189-1", "-queue:mail",
			"queue:mail queue:images", "age>1h age>3h", "state:dead state:ready", "schema:ab12 schema:x", "id:0189-1 id:2", "-error~TIMEOUT",
		},
	} {
		for _, text := range texts {
			s, err := Parse(text)
			if err != nil {
				t.Errorf("%s: %v", text, err)
				continue
			}
			b := s.Broker(now)
			if got := b.Matches(sample()); got != want {
				t.Errorf("%s matches: %v, want %v", text, got, want)
			}
		}
	}
}

// What a broker can look up by an index is not left to a look at every message.
func TestLookUp(t *testing.T) {
	s, err := Parse("task:mail.*,a state:dead queue:mail schema:ab12 id:1,2 age>1h age<2h")
	if err != nil {
		t.Fatal(err)
	}
	b := s.Broker(now)
	if b.Where != nil || len(b.Tasks) != 2 || len(b.States) != 1 || len(b.Queues) != 1 || len(b.Schemas) != 1 || len(b.IDs) != 2 ||
		b.EnqueuedBefore != now.Add(-time.Hour) || b.EnqueuedAfter != now.Add(-2*time.Hour) {
		t.Errorf("%+v", b)
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		"taks:mail":                     `at character 1: unknown field "taks"; did you mean task?`,
		"state:dead quee:x":             `at character 12: unknown field "quee"; did you mean queue?`,
		"zzzzzzzzz:1":                   `known are age, attempt, error, fault, for, id, kind, queue, schema, state, task and args.NAME`,
		"state:daed":                    `unknown state "daed"; did you mean dead?`,
		"state:xyzxyzxyz":               `use ready, delayed, running, dead`,
		"mail":                          `"mail" has no operator`,
		"args:7":                        `unknown field "args"`,
		"args.:7":                       `unknown field "args."`,
		"args.a..b:7":                   `unknown field "args.a..b"`,
		"age:1h":                        `age takes no :; use > or <`,
		"age>soon":                      `"soon" is no time; write it as 90s, 15m, 36h or 7d`,
		"age>-1h":                       `"-1h" is no time`,
		"age>99999999d":                 `is no time`,
		"schema~a":                      `schema takes no ~; use :`,
		"task:":                         `the value is missing`,
		`error~"a`:                      `the quotes do not end`,
		`error~"a"b`:                    `something follows the quotes`,
		`error~a"b`:                     `has quotes inside`,
		"attempt:x":                     `attempt "x" is not a number`,
		"args.n>x":                      `args.n is compared to "x", which is not a number`,
		"\x1b[31m:1":                    `unknown field "\x1b[31m"`,
		"task:\xff":                     `not UTF-8`,
		`task:"\xff"`:                   `not UTF-8`,
		":x":                            `has no operator`,
		"-":                             `has no operator`,
		strings.Repeat("x", 1e5) + ":1": `unknown field`,
	} {
		_, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) || !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\n\x1b") || len(err.Error()) > 400 {
			t.Errorf("%.100q: %v, want %q", text, err, want)
		}
	}
}

// A text that is understood means the same when it is written out, and asks no
// message to be other than it is for the broker that looks it up.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "task:mail.* state:dead", `-error~"a b" age>1h`, "args.user.id:7,8", "for<7d", `queue:""`, "id:1,2", "-x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(s.String())
		if err != nil || again.String() != s.String() {
			t.Fatalf("%q is written %q: %v", text, s, err)
		}
		b, b2 := s.Broker(now), again.Broker(now)
		all := true
		for _, term := range s.terms {
			all = all && term.condition(now)(sample())
		}
		if got := b.Matches(sample()); got != all || b2.Matches(sample()) != got {
			t.Errorf("%q selects: %v as the broker looks it up, %v term by term, %v when written out", text, got, all, b2.Matches(sample()))
		}
	})
}

// A selection can be told without what it says of a field, and what that is.
func TestWithout(t *testing.T) {
	for text, want := range map[string][2]string{
		"":                              {"", ""},
		"task:a state:dead queue:b":     {"task:a queue:b", "dead"},
		"-state:dead queue:b":           {"queue:b", ""},
		"state:dead state:ready,dead":   {"", ""},
		"args.state:dead error~\"x y\"": {"args.state:dead error~\"x y\"", ""},
	} {
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]string{s.Without("state").String(), s.Of("state")}; got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
		if s.String() != text {
			t.Errorf("%s was changed to %s", text, s)
		}
	}
}
