package broker

import (
	"context"
	"time"
)

// A Journal is the capability to keep a history: what became of messages, minute by
// minute, and what operators changed. It is for people and pages; no message depends
// on it.
type Journal interface {
	// Note adds what a process has counted. It adds a batch once, though it may be
	// handed in again after an error, as long as no later one of the same process was.
	// The process is to hand in the next one after the time that is returned.
	Note(ctx context.Context, b Batch) (again time.Duration, err error)

	// Tallies returns what was counted of the minutes that began at since or later,
	// by all processes together, sorted by minute, queue and task. A minute is one by
	// the clock of the process that counted: those of two machines may differ.
	Tallies(ctx context.Context, since time.Time) ([]Tally, error)

	// NoteAct keeps what an operator does, in place of what was kept under its id.
	NoteAct(ctx context.Context, a Act) error

	// Acts returns the acts that began at since or later, oldest first. Each is there
	// as it was kept last.
	Acts(ctx context.Context, since time.Time) ([]Act, error)
}

// A Batch is what a process has counted since the last one.
type Batch struct {
	Process string // its own id, at every start a new one
	Serial  int64  // from 1, higher with each batch of the process

	// Keep is how long the journal is to keep it. A broker of which only the first
	// process can say that goes by that one.
	Keep time.Duration

	// Tallies are at most [MaxBatch].
	Tallies []Tally
}

// MaxBatch is how many tallies a batch has at most.
const MaxBatch = 100

// An Act is what an operator did. It holds nothing of the arguments of messages.
type Act struct {
	ID    string    `json:"id"`
	Began time.Time `json:"began"` // by the operator's clock
	User  string    `json:"user"`
	Host  string    `json:"host"` // from where
	Did   string    `json:"did"`  // such as "retried"

	// On is to what it was done: a selection of messages, or of a queue.
	On string `json:"on"`

	Planned int `json:"planned"` // messages that were counted before; -1: they were not
	Changed int `json:"changed"`
	Skipped int `json:"skipped"` // they had moved on

	// Ended is when it was over, or the zero time if nobody said: it goes on, or the
	// operator's process or connection has died. Error is why it failed or ended
	// early.
	Ended time.Time `json:"ended"`
	Error string    `json:"error"`
}

// MaxActText is how many bytes of a text an act has.
const MaxActText = 500
