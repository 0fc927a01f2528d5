package postgres

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Enqueue implements [broker.Broker].
func (b *Broker) Enqueue(ctx context.Context, m *broker.Message) error {
	return b.EnqueueMany(ctx, []*broker.Message{m})[0]
}

// RefusesDuplicates implements [broker.Deduplicator].
func (b *Broker) RefusesDuplicates() {}

// EnqueueMany implements [broker.Broker]. Many messages are enqueued in several
// transactions.
func (b *Broker) EnqueueMany(ctx context.Context, ms []*broker.Message) (errs []error) {
	var ins []*insert
	for chunk := range slices.Chunk(ms, maxBatch) {
		in := newInsert(chunk)
		ins = append(ins, in)
		if err := ctx.Err(); err != nil {
			in.end(err)
			continue
		}
		b.inserter.put(in)
	}
	for _, in := range ins {
		errs = append(errs, b.awaitInsert(ctx, in)...)
	}
	return errs
}

// awaitInsert returns the outcome of each message.
func (b *Broker) awaitInsert(ctx context.Context, in *insert) []error {
	first, second := broker.Ends(ctx)
	select {
	case <-in.done:
		return in.errs
	case <-first:
	case <-second:
	}
	return b.inserter.giveUp(in, b.late(ctx))
}

// insert is one or more messages to be stored. The messages are copies: the caller
// may go before they are.
type insert struct {
	ms    []*broker.Message // nil: its outcome is known
	errs  []error           // the outcome of each
	sent  bool              // it was sent at least once, and is not known to have failed
	given bool              // the caller has given up; under the inserter's mu
	done  chan struct{}     // closed when all outcomes are known
}

// newInsert returns the messages as they are to be stored: by Enqueue, in a
// transaction of the application, with a tick or with an outcome. One that cannot be
// has an error.
func newInsert(ms []*broker.Message) *insert {
	in := &insert{ms: make([]*broker.Message, len(ms)), errs: make([]error, len(ms)), done: make(chan struct{})}
	for i, m := range ms {
		err := m.Validate()
		if err == nil {
			err = storable(m)
		}
		if in.errs[i] = err; err != nil {
			continue
		}
		kept := *m
		kept.Body = bytes.Clone(m.Body)
		in.ms[i] = &kept
	}
	return in
}

// invalid returns why one of the messages can never be stored.
func (in *insert) invalid() error {
	for i, err := range in.errs {
		if err != nil {
			return fmt.Errorf("message %d: %w", i+1, err)
		}
	}
	return nil
}

// open are the messages whose outcome is not known.
func (in *insert) open() (ms []*broker.Message) {
	for _, m := range in.ms {
		if m != nil {
			ms = append(ms, m)
		}
	}
	return ms
}

// fail makes err the outcome of the messages that have none.
func (in *insert) fail(err error) {
	for i, m := range in.ms {
		if m != nil {
			in.errs[i], in.ms[i] = err, nil
		}
	}
}

// end is fail for all that is left.
func (in *insert) end(err error) {
	in.fail(err)
	close(in.done)
}
