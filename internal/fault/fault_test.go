package fault

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestPattern(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "",
		"no such user":        "no such user",
		"user 17 not found":   "user … not found",
		"user u-17 not found": "user u-… not found",
		"users 1, 2 and 3":    "users … and …",
		"users 1, 2, 3, 4":    "users …",
		"dial tcp 10.0.0.7:25: connect: connection refused":      "dial tcp 10.0.0.7:25: connect: connection refused",
		"dial tcp mail.acme.com:25: connect: connection refused": "dial tcp mail.acme.com:25: connect: connection refused",
		"read tcp 10.0.0.1:43210->10.0.0.7:5432: i/o timeout":    "read tcp …->10.0.0.7:5432: i/o timeout",
		"dial tcp mail:25: i/o timeout, user:7":                  "dial tcp mail:25: i/o timeout, user:…",
		"localhost:8080 is away":                                 "localhost:8080 is away",
		"550 5.1.1 <ann@acme.com>: Recipient address rejected":   "550 5.1.1 <…>: Recipient address rejected",
		"Get \"http://a/b?c=1\": status 404":                     "Get \"…\": status 404",
		"HTTP 503 after 17 tries":                                "HTTP 503 after … tries",
		"charge: 402: card 4711":                                 "charge: 402: card …",
		"mail to ann.lee+x@acme.com bounced":                     "mail to … bounced",
		"can't find 'a b' or `c`; don't try":                     "can't find '…' or `…`; don't try",
		"strconv.Atoi: parsing \"a \\\" b\": invalid syntax":     "strconv.Atoi: parsing \"…\": invalid syntax",
		"runtime error: index out of range [5] with length 3":    "runtime error: index out of range […] with length …",
		"order 0199c3a1-7f2e-7c11-9a55-3f0e5b7a9d21 is closed":   "order … is closed",
		"invalid memory address 0xc000123abc":                    "invalid memory address …",
		"timeout after 1m30s":                                    "timeout after …",
		"at main.go:42: nil":                                     "at main.go:42: nil",
		"expired at 2026-11-27T03:04:05Z, before a worker":       "expired at …, before a worker",
		"a < 7 and b > 8":                                        "a < … and b > …",
		"unfinished \"quote 7":                                   "unfinished \"quote …",
		"größe 7 in straße9":                                     "größe … in …",
		"\xff7\x00":                                              "\xff…\x00",
	} {
		if got := Pattern(text); got != want {
			t.Errorf("%q\n is %q\nwant %q", text, got, want)
		}
	}
}

// An id tells of the task, the kind and the pattern.
func TestID(t *testing.T) {
	same := ID("a.T", "error", "user 1 not found")
	if ID("a.T", "error", "user 22 not found") != same {
		t.Error("one fault has two names")
	}
	if ID("b.T", "error", "user 1 not found") == same || ID("a.T", "panic", "user 1 not found") == same || ID("a.T", "error", "user 1 found") == same {
		t.Error("two faults have one name")
	}
}

// Whatever the text is, its pattern is no longer than three times that, and its own
// pattern is found the same.
func FuzzPattern(f *testing.F) {
	for _, text := range []string{"a 1 b", "\"x", "<a@b>", "'", "1'2'3", "a->1:2>", "…1…", "\xff\xfe"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := Pattern(text)
		if len(p) > 3*len(text) || utf8.ValidString(text) && !utf8.ValidString(p) {
			t.Errorf("%q is %q", text, p)
		}
		if strings.ContainsAny(p, "0123456789") && !strings.ContainsAny(text, "0123456789") {
			t.Errorf("%q has digits that %q has not", p, text)
		}
	})
}
