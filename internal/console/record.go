package console

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// The fields of JSON and the columns of CSV are what scripts rely on: they may get
// more, but keep their names and meanings.

type queueRecord struct {
	Queue   string `json:"queue"`
	Ready   int    `json:"ready"`
	Running int    `json:"running"` // -1: not known
	Delayed int    `json:"delayed"` // -1: not known
	Dead    int    `json:"dead"`
	Paused  bool   `json:"paused"`

	PausedUntil *time.Time `json:"paused_until"`
}

func queueRecordOf(s broker.QueueState) queueRecord {
	return queueRecord{s.Queue, s.Ready, s.Running, s.Delayed, s.Dead, s.Paused, given(s.PausedUntil)}
}

var queueColumns = []column[broker.QueueState]{
	{key: "queue", title: "QUEUE", value: func(s broker.QueueState) string { return s.Queue }},
	countColumn("ready", "READY", func(s broker.QueueState) int { return s.Ready }),
	countColumn("running", "RUNNING", func(s broker.QueueState) int { return s.Running }),
	countColumn("delayed", "DELAYED", func(s broker.QueueState) int { return s.Delayed }),
	countColumn("dead", "DEAD", func(s broker.QueueState) int { return s.Dead }),
	{key: "paused", title: "PAUSED", cell: func(s broker.QueueState) string {
		if !s.Paused {
			return ""
		}
		return pausedText(s.PausedUntil)
	}, value: func(s broker.QueueState) string { return strconv.FormatBool(s.Paused) }},
	{key: "paused_until", value: func(s broker.QueueState) string { return stamp(s.PausedUntil) }},
}

// countColumn is a column of a number that may be unknown.
func countColumn(key, title string, n func(broker.QueueState) int) column[broker.QueueState] {
	return column[broker.QueueState]{
		key: key, title: title,
		cell: func(s broker.QueueState) string {
			if n(s) < 0 {
				return "?"
			}
			return strconv.Itoa(n(s))
		},
		value: func(s broker.QueueState) string { return strconv.Itoa(n(s)) },
	}
}

type messageRecord struct {
	ID         string       `json:"id"`
	Task       string       `json:"task"`
	Queue      string       `json:"queue"`
	State      broker.State `json:"state"`
	At         *time.Time   `json:"at"` // ready and running: due since; delayed: due at; dead: since
	EnqueuedAt *time.Time   `json:"enqueued_at"`
	Attempt    int          `json:"attempt"`
	Attempts   int          `json:"attempts"`
	Schema     string       `json:"schema"`
	Kind       string       `json:"kind"`  // of the newest failure
	Error      string       `json:"error"` // of the newest failure
}

func messageRecordOf(s broker.Stored) messageRecord {
	m := s.Message
	r := messageRecord{
		ID: m.ID, Task: m.Task, Queue: m.Queue, State: s.State, At: given(s.At), EnqueuedAt: given(m.EnqueuedAt),
		Attempt: m.Attempt, Attempts: m.Attempts, Schema: m.Schema,
	}
	if n := len(m.Failures); n > 0 {
		r.Kind, r.Error = m.Failures[n-1].Kind, m.Failures[n-1].Error
	}
	return r
}

// given returns a time, or nil for none.
func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

var messageColumns = []column[broker.Stored]{
	{key: "id", title: "ID", value: func(s broker.Stored) string { return s.Message.ID }},
	{key: "task", title: "TASK", cell: func(s broker.Stored) string { return shortTask(s.Message.Task) }, value: func(s broker.Stored) string { return s.Message.Task }},
	{key: "queue", title: "QUEUE", value: func(s broker.Stored) string { return s.Message.Queue }},
	{key: "state", title: "STATE", value: func(s broker.Stored) string { return string(s.State) }},
	{key: "at", title: "FOR", cell: func(s broker.Stored) string { return printable.Since(s.At) }, value: func(s broker.Stored) string { return stamp(s.At) }},
	{key: "enqueued_at", value: func(s broker.Stored) string { return stamp(s.Message.EnqueuedAt) }},
	{
		key: "attempt", title: "ATTEMPT",
		cell: func(s broker.Stored) string {
			return strconv.Itoa(s.Message.Attempt) + "/" + strconv.Itoa(s.Message.Attempts)
		},
		value: func(s broker.Stored) string { return strconv.Itoa(s.Message.Attempt) },
	},
	{key: "attempts", value: func(s broker.Stored) string { return strconv.Itoa(s.Message.Attempts) }},
	{key: "schema", value: func(s broker.Stored) string { return s.Message.Schema }},
	{key: "kind", value: func(s broker.Stored) string { return messageRecordOf(s).Kind }},
	{key: "error", title: "ERROR", value: func(s broker.Stored) string { return messageRecordOf(s).Error }},
}

// stamp returns a time for scripts, empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// A wholeRecord is all of a message.
type wholeRecord struct {
	messageRecord
	Arguments any               `json:"arguments"` // text, if they are no JSON
	Priority  string            `json:"priority"`
	Expires   *time.Time        `json:"expires"`
	Keep      string            `json:"keep"`
	Headers   map[string]string `json:"headers"`
	Failures  []broker.Failure  `json:"failures"` // oldest first
}

func wholeRecordOf(s broker.Stored, body []byte) wholeRecord {
	m := s.Message
	r := wholeRecord{
		messageRecord: messageRecordOf(s), Arguments: string(body), Priority: m.Priority.String(), Expires: given(m.Expires),
		Keep: m.Keep.String(), Headers: m.Headers, Failures: m.Failures,
	}
	if json.Valid(body) {
		r.Arguments = json.RawMessage(body)
	}
	return r
}

type countRecord struct {
	Queue    string       `json:"queue"`
	Task     string       `json:"task"`
	Schema   string       `json:"schema"`
	State    broker.State `json:"state"`
	Messages int          `json:"messages"`
	Oldest   *time.Time   `json:"oldest"`
	Latest   *time.Time   `json:"latest"`
}

func countRecordOf(c broker.Count) countRecord {
	return countRecord{c.Queue, c.Task, c.Schema, c.State, c.Messages, given(c.Oldest), given(c.Latest)}
}

var countColumns = []column[broker.Count]{
	{key: "queue", title: "QUEUE", value: func(c broker.Count) string { return c.Queue }},
	{key: "task", title: "TASK", cell: func(c broker.Count) string { return shortTask(c.Task) }, value: func(c broker.Count) string { return c.Task }},
	{key: "schema", title: "SCHEMA", value: func(c broker.Count) string { return c.Schema }},
	{key: "state", title: "STATE", value: func(c broker.Count) string { return string(c.State) }},
	{key: "messages", title: "MESSAGES", value: func(c broker.Count) string { return strconv.Itoa(c.Messages) }},
	{key: "oldest", title: "OLDEST", cell: func(c broker.Count) string { return printable.Since(c.Oldest) }, value: func(c broker.Count) string { return stamp(c.Oldest) }},
	{key: "latest", title: "LATEST", cell: func(c broker.Count) string { return printable.Since(c.Latest) }, value: func(c broker.Count) string { return stamp(c.Latest) }},
}
