package sqlite

import (
	"bytes"
	"context"
	"errors"
	"time"

	dtask "github.com/dtaskhq/dtask/runtime"
)

// Enqueue implements [dtask.Broker]. If ctx comes from [WithTx] the message is
// durable when that transaction is committed.
func (b *Broker) Enqueue(ctx context.Context, m *dtask.Message) error {
	return b.EnqueueMany(ctx, []*dtask.Message{m})[0]
}

// EnqueueMany implements [dtask.Broker].
func (b *Broker) EnqueueMany(ctx context.Context, ms []*dtask.Message) []error {
	if len(ms) == 0 {
		return nil
	}
	in := &insert{
		records: make([]record, len(ms)),
		errs:    make([]error, len(ms)),
		done:    make(chan struct{}),
	}
	for i, m := range ms {
		var err error
		if in.records[i], err = newRecord(m); err != nil {
			return failAll(in.errs, err)
		}
	}
	if tx := txFrom(ctx); tx != nil {
		return tx.insert(ctx, b.file, in)
	}
	if err := ctx.Err(); err != nil {
		return failAll(in.errs, err)
	}
	if err := b.writer.put(func(box *inbox) { box.inserts = append(box.inserts, in) }); err != nil {
		return failAll(in.errs, err)
	}
	select {
	case <-in.done:
		return in.errs
	case <-ctx.Done():
	}
	if b.writer.takeBack(in) {
		return failAll(in.errs, b.writer.gaveUp(ctx))
	}
	<-in.done // its transaction is under way: the outcome is known soon
	return in.errs
}

func failAll(errs []error, err error) []error {
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// takeBack removes from the inbox what no transaction has taken yet.
func (w *writer) takeBack(r *insert) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, waiting := range w.inbox.inserts {
		if waiting == r {
			w.inbox.inserts = append(w.inbox.inserts[:i:i], w.inbox.inserts[i+1:]...)
			return true
		}
	}
	return false
}

const (
	insertMessage = "INSERT INTO dtask_messages (" + columns + ")" +
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"
	insertClaimed = "INSERT INTO dtask_messages (" + columns + ", state, owner, claim)" +
		" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?) ON CONFLICT (id) DO NOTHING"
)

// taker returns the consumer that would claim the message in the transaction
// that stores it, or nil. To store it as claimed saves the way through the
// index. It must not overtake others: nothing else may be due in the queue.
func (w *writer) taker(r *record, now time.Time) *consumer {
	if r.due() > now.UnixMilli() {
		return nil
	}
	for _, c := range w.consumers {
		if c.queue == r.queue() && c.room() > 0 && !c.due(high, now) && !c.due(normal, now) && !c.due(low, now) {
			return c
		}
	}
	return nil
}

// store inserts a message, as claimed by c if there is one. It tells what is
// the message's fault from what has cost the transaction.
func (w *writer) store(r *record, c *consumer) (failed, lost error) {
	var seq int64
	var n int
	var err error
	if c == nil {
		n, err = w.conn.exec(insertMessage, r[:]...)
	} else {
		w.lastClaim++
		w.args = append(append(w.args[:0], r[:]...), c.id, w.lastClaim)
		n, seq, err = w.conn.insert(insertClaimed, w.args...)
	}
	switch {
	case err == nil && n == 0:
		return dtask.ErrDuplicate, nil
	case err == nil && c == nil:
		w.arrived(r)
		return nil, nil
	case err == nil:
		d := &delivery{consumer: c, seq: seq, claim: w.lastClaim}
		if err := readMessage(&d.message, r[:]); err != nil {
			return nil, err
		}
		d.message.Body = bytes.Clone(d.message.Body) // it is the caller's
		c.batch = append(c.batch, d)
		return nil, nil
	case faultOfMessage(err):
		return errors.Join(dtask.ErrTooLarge, err), nil
	}
	return nil, err
}
