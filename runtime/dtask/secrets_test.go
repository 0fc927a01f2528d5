package dtask_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/schema"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/dtasktest"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

type pinArgs struct {
	ID   int8      `json:"id"`
	Pin  int8      `json:"pin" dtask:"secret"`
	Born time.Time `json:"born" dtask:"secret"`
	Tags []struct {
		Key map[string]int8 `json:"key" dtask:"secret"`
		N   int8            `json:"n"`
	} `json:"tags"`
}

// No error of decoding quotes a secret, and those about other fields say what they said.
func TestSecretsInErrors(t *testing.T) {
	fields := []string{"id int8", "pin int8, secret", "born time.Time, secret", "tags []{key map[string]int8, secret; n int8}"}
	s, err := schema.Parse(fields)
	if err != nil {
		t.Fatal(err)
	}
	const old = "5ca1ab1e"
	spec := dtask.Spec{Schema: s.Fingerprint(), Fields: fields, Earlier: []dtask.Earlier{{Schema: old}}}
	task := dtask.Define[pinArgs, dtask.None]("pin", spec).Bind(func(context.Context, pinArgs) (dtask.None, error) { return dtask.None{}, nil })
	const born, tags = `"born":"2026-01-02T03:04:05Z"`, `"tags":[]`
	for _, test := range []struct{ body, own, foreign, earlier string }{
		{`{"id":1,"pin":2,` + born + `,` + tags + `}`, "", "", ""},
		{`{"id":777,"pin":2,` + born + `,` + tags + `}`, "number 777", "number 777", "not shown"},
		{`{"id":1,"pin":777,` + born + `,` + tags + `}`, "not shown", "not shown", "not shown"},
		{`{"id":1,"PIN":777,` + born + `,` + tags + `}`, "not shown", "has field PIN", "has field PIN"},
		{`{"id":1,"pin":2,"born":"777",` + tags + `}`, "not shown", "not shown", "not shown"},
		{`{"id":1,"pin":2,` + born + `,"tags":[{"key":{"777":"a"},"n":1}]}`, "not shown", "not shown", "not shown"},
		{`{"id":1,"pin":2,` + born + `,"tags":[{"key":{"777":1},"n":"x"}]}`, "cannot unmarshal string", "field tags[0].n is a string", "not shown"},
		{`{"id":1,"pin":777`, "not shown", "not shown", "not shown"},
		{`["777"]`, "not shown", "not shown", "not shown"},
	} {
		for schema, want := range map[string]string{spec.Schema: test.own, "": test.foreign, old: test.earlier} {
			err := inside.Decode(t.Context(), task, &dtask.Message{Task: "pin", Schema: schema, Body: []byte(test.body)})
			switch {
			case want == "" && err != nil, want != "" && err == nil:
				t.Errorf("%s of %q: %v", test.body, schema, err)
			case err == nil:
			case !strings.Contains(err.Error(), want), want == "not shown" && strings.Contains(err.Error(), "777"):
				t.Errorf("%s of %q: %v, want %s", test.body, schema, err, want)
			}
		}
	}
}

// What a function returns or panics with is kept and logged without the secret arguments,
// and is the error that it was.
func TestSecretsInFailures(t *testing.T) {
	fields := []string{"id int8", "key string, secret"}
	s, err := schema.Parse(fields)
	if err != nil {
		t.Fatal(err)
	}
	type args struct {
		ID  int8   `json:"id"`
		Key string `json:"key" dtask:"secret"`
	}
	task := dtask.Define[args, dtask.None]("pay", dtask.Spec{Queue: "q", Schema: s.Fingerprint(), Fields: fields})
	table := dtask.Table{task.Bind(func(_ context.Context, a args) (dtask.None, error) {
		switch a.ID {
		case 1:
			return dtask.None{}, dtask.Permanent(fmt.Errorf("pay %+v: %w", a, io.ErrUnexpectedEOF))
		case 2:
			panic(fmt.Sprintf("pay %+v", a))
		}
		return dtask.None{}, errors.New("pay nobody")
	})}
	for id, want := range map[int8]string{
		1: "pay {ID:1 Key:***}: unexpected EOF",
		2: "panic: pay {ID:2 Key:***}",
		3: "pay nobody",
	} {
		w := dtasktest.NewWorker(t, table)
		if _, err := task.Delay(w.Context(t.Context()), args{id, "sesame"}, dtask.Retries(0)); err != nil {
			t.Fatal(err)
		}
		step, _ := w.Step()
		o := step.Outcome
		if o.Err == nil || o.Err.Error() != want {
			t.Errorf("%d: error %v, want %s", id, o.Err, want)
		}
		if id == 1 && (!errors.Is(o.Err, io.ErrUnexpectedEOF) || o.Kind != dtask.OutcomeDead) {
			t.Errorf("%v is another error than the function's: %v", o.Err, o.Kind)
		}
		if id == 2 && !errors.As(o.Err, new(*dtask.PanicError)) {
			t.Errorf("%v is no panic", o.Err)
		}
	}
}
