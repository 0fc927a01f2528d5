package sqlite

import (
	"context"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Enqueue implements [broker.Broker].
func (b *Broker) Enqueue(ctx context.Context, m *broker.Message) error {
	return b.enqueueChunk(ctx, []*broker.Message{m})[0]
}

// RefusesDuplicates implements [broker.Deduplicator].
func (b *Broker) RefusesDuplicates() {}

// EnqueueMany implements [broker.Broker]. So many messages that others would wait
// for them are enqueued in several transactions.
func (b *Broker) EnqueueMany(ctx context.Context, ms []*broker.Message) (errs []error) {
	for chunk := range slices.Chunk(ms, step) {
		errs = append(errs, b.enqueueChunk(ctx, chunk)...)
	}
	return errs
}

// enqueueChunk enqueues messages in one transaction.
func (b *Broker) enqueueChunk(ctx context.Context, ms []*broker.Message) []error {
	in := insertOf(ms)
	if err := ctx.Err(); err != nil {
		return in.fail(err)
	}
	if err := b.writer.failure(); err != nil {
		return in.fail(err)
	}
	if err := b.writer.put(func(box *inbox) { box.inserts = append(box.inserts, in) }); err != nil {
		return in.fail(err)
	}
	first, second := broker.Ends(ctx)
	select {
	case <-in.done:
		return in.errs
	case <-first:
	case <-second:
	}
	if err := b.writer.gaveUp(ctx); b.writer.takeBack(in, err) {
		return in.fail(err)
	}
	<-in.done // its transaction is under way: the outcome is known soon
	return in.errs
}

// takeBack removes from the inbox what no transaction has taken. If one has, it
// does not come back to the inbox.
func (w *writer) takeBack(r *insert, reason error) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, waiting := range w.inbox.inserts {
		if waiting == r {
			w.inbox.inserts = append(w.inbox.inserts[:i:i], w.inbox.inserts[i+1:]...)
			return true
		}
	}
	r.gaveUp = reason
	return false
}

// insertOf returns the messages as they are to be stored: by Enqueue, in a
// transaction of the application, with a tick or with an outcome. One that
// cannot be has an error, and no record.
func insertOf(ms []*broker.Message) *insert {
	in, now := newInsert(len(ms)), time.Now()
	for i, m := range ms {
		if in.errs[i] = m.Validate(); in.errs[i] == nil {
			in.records[i], in.errs[i] = newRecord(m, now)
		}
	}
	return in
}

// insert is one or more messages to be stored.
type insert struct {
	records []record
	errs    []error       // the outcome of each
	known   int           // how many outcomes are final, from the first
	gaveUp  error         // why the caller waits no longer than he must; under the writer's mu
	done    chan struct{} // closed when all are
}

// newInsert returns an insert of n messages.
func newInsert(n int) *insert {
	if n == 1 { // nearly always: in one piece
		one := &struct {
			insert
			record [1]record
			err    [1]error
		}{}
		one.records, one.errs, one.done = one.record[:], one.err[:], make(chan struct{})
		return &one.insert
	}
	return &insert{records: make([]record, n), errs: make([]error, n), done: make(chan struct{})}
}

// appendTo appends the messages whose outcome is not known.
func (r *insert) appendTo(list []storing) []storing {
	for i := r.known; i < len(r.records); i++ {
		if r.records[i].valid() {
			list = append(list, storing{record: &r.records[i], err: &r.errs[i], at: i})
		}
	}
	return list
}

// fail makes err the outcome of the messages that have none, and returns all.
func (r *insert) fail(err error) []error {
	for i := r.known; i < len(r.records); i++ {
		if r.records[i].valid() {
			r.errs[i] = err
		}
	}
	return r.errs
}
