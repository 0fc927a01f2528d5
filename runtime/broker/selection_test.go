package broker

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestSelectionMatches(t *testing.T) {
	now := time.Now()
	m := Stored{State: StateDead, Message: &Message{
		ID: "1", Task: "github.com/acme/shop/mail.Mailer.Send", Queue: "mail-eu", Schema: "ab12", EnqueuedAt: now,
	}}
	for want, list := range map[bool][]Selection{
		true: {
			{},
			{States: []State{StateReady, StateDead}},
			{Queues: []string{"x", "mail-*"}},
			{Tasks: []string{"mail.*"}},
			{Tasks: []string{"mail.Mailer.Send"}},
			{Tasks: []string{"shop/mail.*.Send"}},
			{Tasks: []string{"github.com/acme/shop/mail.Mailer.Send"}},
			{Tasks: []string{"*Send"}},
			{Schemas: []string{"ab12"}},
			{IDs: []string{"0", "1"}},
			{EnqueuedAfter: now.Add(-1), EnqueuedBefore: now.Add(1)},
			{Where: func(s Stored) bool { return s.Message.ID == "1" }},
		},
		false: {
			{States: []State{StateReady}},
			{Queues: []string{"mail"}},
			{Queues: []string{"*mail"}},
			{Tasks: []string{"ail.*"}},
			{Tasks: []string{"Mailer.Send"}},
			{Tasks: []string{"mail"}},
			{Schemas: []string{""}},
			{IDs: []string{"2"}},
			{EnqueuedAfter: now},
			{EnqueuedBefore: now},
			{Queues: []string{"mail-eu"}, Where: func(Stored) bool { return false }},
		},
	} {
		for _, s := range list {
			if got := s.Matches(m); got != want {
				t.Errorf("%+v matches: %v, want %v", s, got, want)
			}
		}
	}
}

// A pattern means what the same means to package regexp.
func FuzzMatchPattern(f *testing.F) {
	for _, s := range []string{"*", "", "a*", "*a", "a*a", "**", "a*b*c", "ab*ba", "aba", "aXbXc"} {
		f.Add(s, "aba")
		f.Add(s, "abXbXc")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		want := regexp.MustCompile(`(?s)\A` + strings.ReplaceAll(regexp.QuoteMeta(strings.ToValidUTF8(pattern, "?")), `\*`, `.*`) + `\z`)
		if pattern != strings.ToValidUTF8(pattern, "?") || text != strings.ToValidUTF8(text, "?") {
			return // package regexp takes UTF-8 only
		}
		if got := MatchPattern(pattern, text); got != want.MatchString(text) {
			t.Errorf("MatchPattern(%q, %q) = %v", pattern, text, got)
		}
	})
}
