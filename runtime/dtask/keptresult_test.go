package dtask

import (
	"strings"
	"testing"
)

// A result of another build is read if it means the same, and else Wait says why
// not.
func TestResultsOfOtherBuilds(t *testing.T) {
	ours := &Spec{Result: "v3", EarlierResults: []Earlier{
		{Schema: "v2"},
		{Schema: "v1", Refused: "it is of v1, and since then: result: string became int64"},
	}}
	for _, c := range []struct {
		spec  *Spec // that of the worker
		value string
		want  string // of the error, or empty for 7
	}{
		{ours, "7", ""},
		{&Spec{Result: "v2"}, "7", ""},
		{&Spec{Result: "v2"}, "7.5", "cannot unmarshal"},
		{&Spec{Result: "v1"}, "7", "this build cannot read it: it is of v1, and since then: result: string became int64"},
		{&Spec{Result: "v4"}, "7", "it has the schema v4, which this build does not know"},
		{&Spec{}, "7", "which this build does not know"},
	} {
		var got int64
		err := decodeResult(t.Context(), ours, keepResult(c.spec, []byte(c.value)), &got)
		switch {
		case c.want == "" && (err != nil || got != 7):
			t.Errorf("schema %q: %d, %v", c.spec.Result, got, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("schema %q, value %s: error %v, want %s", c.spec.Result, c.value, err, c.want)
		}
	}
	var got int64
	for _, damaged := range []string{"", "{", "7", `{"schema":"v3"}`, `{"schema":"v3","value":"x"}`} {
		if err := decodeResult(t.Context(), ours, []byte(damaged), &got); err == nil {
			t.Errorf("%q was read", damaged)
		}
	}
	if err := decodeResult(t.Context(), nil, keepResult(ours, []byte("8")), &got); err != nil || got != 8 {
		t.Errorf("a handle without a task: %d, %v", got, err)
	}
}
