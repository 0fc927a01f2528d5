package dtask

import (
	"testing"
)

type renamedArgs struct {
	Recipient string               `json:"recipient" dtask:"was=to,was=at"`
	Lines     map[string][]subLine `json:"lines"`
	Text      string               `json:"a ä"`
}

type subLine struct {
	N int `json:"n,string" dtask:"was=count"`
	subLineMore
}

type subLineMore struct {
	Next *subLine `json:"next,omitempty" dtask:"was=sub"`
}

// A message of a known version may have the names that fields had, wherever they are.
// One of a version that nobody knows, or of another language, may not: there the name
// could mean another thing.
func TestFormerNames(t *testing.T) {
	spec := &Spec{Schema: "now", Earlier: []Earlier{{Schema: "v1"}}}
	const body = ` { "\u0074o" : "ada" ,"lines":{"to":[{"count":"1","sub":{"n":"2"}},{"n":"3","next":{"count":"4"}}]},"a ä":"to"}`
	for name, c := range map[string]struct {
		schema, body, want string
	}{
		"known":          {"v1", body, ""},
		"another":        {"v1", `{"at":"ada","lines":{"to":[{"n":"1","next":{"n":"2"}},{"n":"3","sub":{"n":"4"}}]},"a ä":"to"}`, ""},
		"no fingerprint": {"", body, "has field to, this build wants recipient"},
		"unknown":        {"v0", body, "its arguments have the schema v0, which this build does not know, as that is newer, or not in dtask.lock"},
		"both":           {"v1", `{"to":"ada","recipient":"bob","lines":{},"a ä":"to"}`, "has field recipient, which this build does not know"},
		"two old ones":   {"v1", `{"to":"ada","at":"bob","lines":{},"a ä":"to"}`, "has field recipient, which this build does not know"},
		"wrong inside":   {"v1", `{"to":"ada","lines":{"x":[{"count":"1","sub":{"m":1}}]},"a ä":"to"}`, "has field lines[\"x\"][0].next.m, this build wants lines[\"x\"][0].next.n"},
	} {
		var args renamedArgs
		err := decode(t.Context(), &Message{Body: []byte(c.body), Schema: c.schema}, spec, &args)
		switch {
		case c.want != "":
			if err == nil || err.Error() != c.want || !isForeign(err) {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		default:
			lines := args.Lines["to"]
			if args.Recipient != "ada" || len(lines) != 2 || lines[0].N != 1 || lines[0].Next.N != 2 || lines[1].N != 3 || lines[1].Next.N != 4 || args.Text != "to" {
				t.Errorf("%s: %+v", name, args)
			}
		}
	}
}
