// Package selection is the small language by which operators say which messages
// they mean:
//
//	task:mail.* state:dead args.user.id:7 error~"timeout" age>1h
//
// Terms are separated by spaces, and all of them must be true. A term is a field, an
// operator and a value; with a minus before it, it must not be true. The value is in
// double quotes, as a string in Go, where it has spaces or quotes.
//
//	field       operators   what it is
//	id          :           the id of the message
//	task        : ~         the name of the task, in full or behind any slash of it
//	queue       : ~
//	schema      :           the fingerprint of the arguments
//	state       :           ready, delayed, running or dead
//	error       : ~         the newest failure, without its stack
//	kind        :           the kind of that: error, panic, timeout, expired, crash …
//	fault       :           the name of what dead letters have in common: see a list of
//	                        their groups
//	attempt     : > <       the number of the attempt
//	age         > <         how long ago the message was enqueued
//	for         > <         how long it has been ready or dead, or until it is due
//	args.NAME   : ~ > <     an argument; args.user.id is a field of one, args.ids.0 an
//	                        element of a list
//
// The operators are : for equal, ~ for "has in it", whatever the case of letters, and
// > and <. The value of : may be several, separated by commas, of which one must be
// equal; an asterisk in it stands for any text. Times are as 90s, 15m, 36h, 7d.
package selection

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A Selection is a parsed text. The zero value selects all messages.
type Selection struct{ terms []term }

// A term is one condition.
type term struct {
	not   bool
	field string
	op    byte
	value string
	age   time.Duration // of age and for
}

// Parse returns the selection that a text describes. Its error says in one line
// what is wrong, where, and what to write instead.
func Parse(text string) (Selection, error) {
	var s Selection
	p := parser{text: text}
	for p.skipSpace(); !p.done(); p.skipSpace() {
		t, err := p.term()
		if err == nil {
			err = t.check()
		}
		if err != nil {
			return Selection{}, fmt.Errorf("selection, at character %d: %w", len([]rune(text[:p.start]))+1, err)
		}
		s.terms = append(s.terms, t)
	}
	return s, nil
}

// And returns the selection of what both select.
func (s Selection) And(other Selection) Selection {
	return Selection{append(s.terms[:len(s.terms):len(s.terms)], other.terms...)}
}

// Without returns the selection without its terms on a field.
func (s Selection) Without(field string) Selection {
	return Selection{slices.DeleteFunc(slices.Clone(s.terms), func(t term) bool { return t.field == field })}
}

// Of returns the value of the one term that says what a field is equal to, or "" if there
// is none, or more is said of it.
func (s Selection) Of(field string) string {
	value := ""
	for _, t := range s.terms {
		if t.field == field {
			if value != "" || t.not || t.op != ':' {
				return ""
			}
			value = t.value
		}
	}
	return value
}

// All reports whether all messages are selected.
func (s Selection) All() bool { return len(s.terms) == 0 }

// String returns the text of the selection.
func (s Selection) String() string {
	var texts []string
	for _, t := range s.terms {
		texts = append(texts, t.String())
	}
	return strings.Join(texts, " ")
}

// WithoutArguments returns the text of the selection, or "all", with an ellipsis for
// what arguments are to be.
func (s Selection) WithoutArguments() string {
	var texts []string
	for _, t := range s.terms {
		if strings.HasPrefix(t.field, "args.") {
			t.value = "…"
		}
		texts = append(texts, t.String())
	}
	return cmp.Or(strings.Join(texts, " "), "all")
}

// Broker returns the selection as brokers take it, with ages as of a time. What a
// broker can look up is in its fields, and the rest is in Where.
func (s Selection) Broker(now time.Time) broker.Selection {
	var b broker.Selection
	var rest []func(broker.Stored) bool
	for _, t := range s.terms {
		if !t.lookUp(&b, now) {
			rest = append(rest, t.condition(now))
		}
	}
	if len(rest) > 0 {
		b.Where = func(m broker.Stored) bool {
			for _, holds := range rest {
				if !holds(m) {
					return false
				}
			}
			return true
		}
	}
	return b
}
