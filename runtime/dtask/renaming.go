package dtask

import (
	"bytes"
	"context"

	"github.com/go-json-experiment/json/jsontext"
)

// A renaming collects where a body has names that its fields have no more, as their
// tags say: dtask:"was=OLD".
type renaming struct{ places []renamed }

// A renamed is such a name, with its quotes.
type renamed struct {
	start, end int
	now        string
}

func (r *renaming) add(start, end int, now string) {
	r.places = append(r.places, renamed{start, end, now})
}

// apply returns the body with the names that its fields have now.
func (r *renaming) apply(body []byte) []byte {
	if len(r.places) == 0 {
		return body
	}
	var b bytes.Buffer
	done := 0
	for _, p := range r.places {
		b.Write(body[done:p.start])
		name, _ := jsontext.AppendQuote(nil, p.now) // it is of a Go tag, so it is text
		b.Write(name)
		done = p.end
	}
	b.Write(body[done:])
	return b.Bytes()
}

// decodeKnown decodes arguments, or a result, of an earlier version. The generator has
// compared that version with the present one, so what a tag says of a name holds for
// it. Of a version that nobody knows it might not.
func decodeKnown(ctx context.Context, body []byte, args any) error {
	r := new(renaming)
	if err := checkExact(ctx, body, args, r); err != nil {
		return err
	}
	return decodeChecked(ctx, r.apply(body), args)
}
