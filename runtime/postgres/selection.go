package postgres

import (
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// conditions are a part of a statement, with its arguments.
type conditions struct {
	list []string
	args []any
}

// arg adds an argument, and returns its name.
func (c *conditions) arg(v any) string {
	c.args = append(c.args, v)
	return fmt.Sprintf("$%d", len(c.args))
}

func (c *conditions) add(condition string) { c.list = append(c.list, condition) }

func (c *conditions) where() string {
	if len(c.list) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(c.list, " AND ")
}

// selects adds what a selection says, but for its states and its Where.
func (c *conditions) selects(s *broker.Selection) {
	c.matches("queue", s.Queues, "")
	c.matches("task", s.Tasks, "%/")
	c.matches("schema", s.Schemas, "")
	if len(s.IDs) > 0 {
		c.add("id = ANY (" + c.arg(s.IDs) + "::text[])")
	}
	if !s.EnqueuedAfter.IsZero() {
		c.add("enqueued_at > " + c.arg(s.EnqueuedAfter))
	}
	if !s.EnqueuedBefore.IsZero() {
		c.add("enqueued_at < " + c.arg(s.EnqueuedBefore))
	}
}

// matches adds that a column matches one of the patterns, or after a prefix, if there
// may be one.
func (c *conditions) matches(column string, patterns []string, prefix string) {
	if len(patterns) == 0 {
		return
	}
	var like []string
	for _, p := range patterns {
		p = likePattern(p)
		like = append(like, p)
		if prefix != "" {
			like = append(like, prefix+p)
		}
	}
	c.add(column + " LIKE ANY (" + c.arg(like) + "::text[])")
}

// likePattern returns a pattern of a selection as one of LIKE.
func likePattern(p string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`, `*`, `%`).Replace(p)
}

// stateOf is the state of a row in words, at the time that is its argument.
const stateOf = "CASE WHEN state = 1 THEN 'running' WHEN state = 2 THEN 'dead' WHEN due > %s THEN 'delayed' ELSE 'ready' END"

// readStoredRow reads a row of seq, state, due and all columns. What cannot be read of
// a damaged row is left zero.
func readStoredRow(r pgx.Rows, now time.Time) (s broker.Stored, seq int64, err error) {
	var state int16
	var damage error
	m := new(broker.Message)
	targets := []any{&seq, &state, &s.At}
	for i := range columns {
		t := columns[i].target(m)
		if j, ok := t.(readingJSON); ok {
			t = tolerant{j, &damage, columns[i].name}
		}
		targets = append(targets, t)
	}
	if err := r.Scan(targets...); err != nil {
		return s, 0, err
	}
	s.Message = m
	switch {
	case state == 1:
		s.State = broker.StateRunning
	case state == 2:
		s.State = broker.StateDead
		m.NotBefore = time.Time{} // the column says since when it is dead
	case s.At.After(now):
		s.State = broker.StateDelayed
	default:
		s.State = broker.StateReady
	}
	return s, seq, nil
}
