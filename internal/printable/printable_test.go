package printable

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"plain, ünïcödé 漢字": "plain, ünïcödé 漢字",
		"a\x1b[2Jb":         `a\x1b[2Jb`,
		"a\nb\tc":           `a\nb\tc`,
		"a\u202eb\u200fc":   `a\u202eb\u200fc`,
		"a\u009b31m":        `a\u009b31m`,
		"a\xffb\xe2\x82":    `a\xffb\xe2\x82`,
		"a\ufffdb":          "a\ufffdb",
	} {
		if got := Text(in, ""); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
	if got := Text("a\nb\x1b", "\n"); got != "a\nb\\x1b" {
		t.Errorf("with line breaks kept: %q", got)
	}
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b\xff\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		got := Text(s, "")
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("Text(%q) = %q", s, got)
		}
	})
}

func TestCut(t *testing.T) {
	for in, want := range map[string]string{"": "", "abcd": "abcd", "abcde": "abcd…", "ääää": "ääää", "äääää": "ääää…"} {
		if got := Cut(in, 4); got != want {
			t.Errorf("Cut(%q) = %q, want %q", in, got, want)
		}
	}
}
