package dtask

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

type nodeArgs struct {
	Root node `json:"root"`
}

type node struct {
	Pad  string `json:"pad"`
	Next *node  `json:"next"`
}

// nested returns a body of the given depth, with at least size bytes at its inner end.
func nested(depth, size int, inner string) []byte {
	var b strings.Builder
	b.WriteString(`{"root":`)
	for range depth {
		b.WriteString(`{"pad":"","next":`)
	}
	fmt.Fprintf(&b, `{"pad":"%s","next":%s}`, strings.Repeat("x", size), inner)
	b.WriteString(strings.Repeat("}", depth+1))
	return []byte(b.String())
}

// However deep a body of another build is, it is read once. Before, each level
// was copied as many times as it is deep.
func TestExactIsLinear(t *testing.T) {
	for _, inner := range []string{`null`, `{"pad":"","next":null,"more":1}`} {
		body := nested(300, 1<<20, inner)
		var before, after runtime.MemStats
		var args nodeArgs
		runtime.ReadMemStats(&before)
		err := decode(t.Context(), &Message{Body: body, Schema: "theirs"}, oursSpec, &args)
		runtime.ReadMemStats(&after)
		if inner == "null" && err != nil || inner != "null" && !isForeign(err) {
			t.Errorf("inner value %s: error %v", inner, err)
		}
		if used, most := after.TotalAlloc-before.TotalAlloc, uint64(20*len(body)); used > most {
			t.Errorf("inner value %s: decoding allocated %d bytes, want at most %d", inner, used, most)
		}
	}
}

// An error names what differs, in a bounded line, whatever the message has.
func TestExactErrorsAreBounded(t *testing.T) {
	var many strings.Builder
	many.WriteString(`{"root":{"pad":"","next":null`)
	for i := range 5000 {
		fmt.Fprintf(&many, `,"f%d":1`, i)
	}
	many.WriteString(`}}`)
	for name, c := range map[string]struct{ body, want string }{
		"many fields":  {many.String(), "and 4990 more, which this build does not know"},
		"a long field": {`{"root":{"pad":"","next":null,"` + strings.Repeat("é", 1<<16) + `":1}}`, "…, which this build does not know"},
		"an empty one": {`{"root":{"pad":"","next":null},"":1}`, "has field , which this build does not know"},
		"a deep one":   {string(nested(5000, 1, `7`)), "…"},
		"two":          {`{"root":{"pad":7,"next":7}}`, "field root.pad is a number, this build wants string"},
	} {
		err := decode(t.Context(), &Message{Body: []byte(c.body), Schema: "theirs"}, oursSpec, new(nodeArgs))
		if !isForeign(err) || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 4000 {
			t.Errorf("%s: error %.5000v, want %q", name, err, c.want)
		}
	}
}

// A body that no build makes is damaged, even if a difference comes first.
func TestExactRefusesWhatNobodyMakes(t *testing.T) {
	for _, body := range []string{
		`{"root":7,"root":7}`,
		`{"root":{"pad":"a","pad":"b","next":null}}`,
		"{\"root\":{\"pad\":\"\xff\",\"next\":null}}",
		`{"other":1} x`,
		`{"other":1}{}`,
		`{"other":{"pad":`,
		`{"root":{"next":7,"pad":"a" "b"}}`,
	} {
		err := decode(t.Context(), &Message{Body: []byte(body), Schema: "theirs"}, oursSpec, new(nodeArgs))
		if !errors.As(err, new(*undecodableError)) {
			t.Errorf("%q: error %v, want that it is no JSON", body, err)
		}
	}
}

// Decoding ends with the context, and is no difference between builds.
func TestDecodeEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for schema, body := range map[string][]byte{"ours": nested(3, 10, "null"), "theirs": nested(2000, 10, `{"more":1}`)} {
		if err := decode(ctx, &Message{Body: body, Schema: schema}, oursSpec, new(nodeArgs)); err != context.Canceled {
			t.Errorf("schema %s: error %v, want the one of the context", schema, err)
		}
	}
}
