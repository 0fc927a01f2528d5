package selection

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/fault"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// lookUp adds the term to what the broker looks up itself, if it can.
func (t term) lookUp(s *broker.Selection, now time.Time) bool {
	values := strings.Split(t.value, ",")
	switch {
	case t.not:
		return false
	case t.field == "age" && t.op == '>' && s.EnqueuedBefore.IsZero():
		s.EnqueuedBefore = now.Add(-t.age)
		return true
	case t.field == "age" && t.op == '<' && s.EnqueuedAfter.IsZero():
		s.EnqueuedAfter = now.Add(-t.age)
		return true
	case t.op != ':':
		return false
	}
	switch list := map[string]*[]string{"task": &s.Tasks, "queue": &s.Queues, "schema": &s.Schemas}[t.field]; {
	case list != nil && *list == nil:
		*list = values
		return true
	case t.field == "id" && s.IDs == nil && !strings.Contains(t.value, "*"):
		s.IDs = values
		return true
	case t.field == "state" && s.States == nil:
		for _, v := range values {
			s.States = append(s.States, broker.State(v))
		}
		return true
	}
	return false
}

// condition returns the term as a condition.
func (t term) condition(now time.Time) func(broker.Stored) bool {
	holds := t.positive(now)
	if t.not {
		return func(m broker.Stored) bool { return !holds(m) }
	}
	return holds
}

// positive is condition without the minus.
func (t term) positive(now time.Time) func(broker.Stored) bool {
	if path, ok := strings.CutPrefix(t.field, argument); ok {
		return func(m broker.Stored) bool { return t.ofArgument(m.Message.Body, strings.Split(path, ".")) }
	}
	switch t.field {
	case "task", "queue", "schema", "state":
		if t.op == ':' {
			var s broker.Selection
			t := t
			t.not = false
			t.lookUp(&s, now)
			return s.Matches
		}
	case "age":
		return func(m broker.Stored) bool { return compare(now.Sub(m.Message.EnqueuedAt), t.op, t.age) }
	case "for":
		return func(m broker.Stored) bool { return !m.At.IsZero() && compare(now.Sub(m.At).Abs(), t.op, t.age) }
	case "attempt":
		n, _ := strconv.Atoi(t.value) // it was checked
		return func(m broker.Stored) bool { return compare(m.Message.Attempt, t.op, n) }
	}
	return func(m broker.Stored) bool {
		text, ok := t.text(m)
		return ok && t.ofText(text)
	}
}

// text returns the field of a message that is text. A message that has never failed
// has no error.
func (t term) text(m broker.Stored) (string, bool) {
	switch t.field {
	case "id":
		return m.Message.ID, true
	case "task":
		return m.Message.Task, true
	case "queue":
		return m.Message.Queue, true
	}
	n := len(m.Message.Failures)
	if n == 0 {
		return "", false
	}
	f := m.Message.Failures[n-1]
	switch t.field {
	case "kind":
		return f.Kind, true
	case "fault":
		return fault.ID(m.Message.Task, f.Kind, f.Error), true
	}
	return f.Error, true
}

// ofText reports whether the operator holds for a text.
func (t term) ofText(text string) bool {
	if t.op == '~' {
		return strings.Contains(strings.ToLower(text), strings.ToLower(t.value))
	}
	return slices.ContainsFunc(strings.Split(t.value, ","), func(v string) bool { return broker.MatchPattern(v, text) })
}

func compare[T int | time.Duration | float64](a T, op byte, b T) bool {
	switch op {
	case '>':
		return a > b
	case '<':
		return a < b
	}
	return a == b
}
