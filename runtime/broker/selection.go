package broker

import (
	"slices"
	"strings"
	"time"
)

// A Selection says which messages are meant. The zero value means all of them, and
// every field that is set leaves fewer.
//
// A pattern is a text in which an asterisk stands for any text, also for none.
type Selection struct {
	States  []State
	Queues  []string // patterns
	Tasks   []string // patterns, of the whole name or of what follows a slash in it
	Schemas []string // patterns
	IDs     []string

	// EnqueuedAfter and EnqueuedBefore bound the time of Delay, unless they are zero.
	EnqueuedAfter, EnqueuedBefore time.Time

	// Where must be true of the message as well, unless it is nil. Brokers ask
	// it last. It must not keep the message, nor change it.
	Where func(Stored) bool
}

// Has reports whether messages of a state may be selected.
func (s *Selection) Has(state State) bool {
	return len(s.States) == 0 || slices.Contains(s.States, state)
}

// HasQueue reports whether messages of a queue may be selected.
func (s *Selection) HasQueue(queue string) bool { return anyMatches(s.Queues, queue, MatchPattern) }

// Matches reports whether a message is selected. It says what a selection means:
// a broker that selects in its own way selects the same.
func (s *Selection) Matches(m Stored) bool {
	return s.Has(m.State) &&
		s.HasQueue(m.Message.Queue) &&
		anyMatches(s.Tasks, m.Message.Task, matchesTask) &&
		anyMatches(s.Schemas, m.Message.Schema, MatchPattern) &&
		(len(s.IDs) == 0 || slices.Contains(s.IDs, m.Message.ID)) &&
		(s.EnqueuedAfter.IsZero() || m.Message.EnqueuedAt.After(s.EnqueuedAfter)) &&
		(s.EnqueuedBefore.IsZero() || m.Message.EnqueuedAt.Before(s.EnqueuedBefore)) &&
		(s.Where == nil || s.Where(m))
}

func anyMatches(patterns []string, text string, matches func(pattern, text string) bool) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return matches(p, text) })
}

// matchesTask reports whether a pattern matches the name of a task: mail.* is
// github.com/acme/shop/mail.Send too.
func matchesTask(pattern, name string) bool {
	for {
		if MatchPattern(pattern, name) {
			return true
		}
		_, rest, ok := strings.Cut(name, "/")
		if !ok {
			return false
		}
		name = rest
	}
}

// MatchPattern reports whether a pattern, as [Selection] has them, matches the whole
// of a text.
func MatchPattern(pattern, text string) bool {
	first, rest, ok := strings.Cut(pattern, "*")
	if !ok {
		return pattern == text
	}
	text, ok = strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	for {
		part, next, more := strings.Cut(rest, "*")
		if !more { // what follows the last asterisk ends the text
			return strings.HasSuffix(text, part)
		}
		_, after, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text, rest = after, next
	}
}
