package fieldtag

import (
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]struct {
		was        []string
		flaw, hint string
	}{
		"":              {},
		"was=to":        {was: []string{"to"}},
		"was=to,was=at": {was: []string{"to", "at"}},
		"was=a b":       {was: []string{"a b"}},
		"was":           {flaw: `its dtask tag has "was"`, hint: "write was=OLDNAME"},
		"was=":          {flaw: `its dtask tag has "was="`, hint: "write was=OLDNAME"},
		"wsa=to":        {flaw: `its dtask tag has the unknown word "wsa=to"`, hint: "did you mean was=OLDNAME?"},
		"was=to,":       {flaw: `its dtask tag has the unknown word ""`},
		"was=to,was=to": {flaw: "its dtask tag says was=to twice", hint: "say it once"},
	} {
		got, flaw, hint := Parse(text)
		if flaw != want.flaw || want.hint != "" && hint != want.hint {
			t.Errorf("%q: %s; %s", text, flaw, hint)
		}
		if want.flaw == "" && !slices.Equal(got.Was, want.was) {
			t.Errorf("%q: %q", text, got.Was)
		}
	}
}

func TestClashes(t *testing.T) {
	got := Clashes([]Field{
		{Name: "a", Go: "A", Was: []string{"B", "x"}},
		{Name: "b", Go: "B", Was: []string{"x", "b"}},
		{Name: "C", Go: "C", Was: []string{"c"}}, // a name in another case is another name
	})
	want := []string{"it was B, but B has that name still", "it was x, and so was A", "it was b, and is still"}
	for i, c := range got {
		if i >= len(want) || c.Reason != want[i] {
			t.Errorf("%+v", c)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%+v", got)
	}
}
