package sqlite

import (
	"bytes"
	"context"
	"database/sql/driver"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Enqueue implements [broker.Broker].
func (b *Broker) Enqueue(ctx context.Context, m *broker.Message) error {
	return b.EnqueueMany(ctx, []*broker.Message{m})[0]
}

// RefusesDuplicates implements [broker.Deduplicator].
func (b *Broker) RefusesDuplicates() {}

// EnqueueMany implements [broker.Broker].
func (b *Broker) EnqueueMany(ctx context.Context, ms []*broker.Message) []error {
	if len(ms) == 0 {
		return nil
	}
	in := insertOf(ms)
	if err := ctx.Err(); err != nil {
		return in.fail(err)
	}
	if err := b.writer.put(func(box *inbox) { box.inserts = append(box.inserts, in) }); err != nil {
		return in.fail(err)
	}
	select {
	case <-in.done:
		return in.errs
	case <-ctx.Done():
	}
	if err := b.writer.gaveUp(ctx); b.writer.takeBack(in, err) {
		return in.fail(err)
	}
	<-in.done // its transaction is under way: the outcome is known soon
	return in.errs
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

// taker returns the consumer that would claim the message in the transaction
// that stores it, or nil. To store it as claimed saves the way through the
// index. It must not overtake others: nothing else may be due in the queue.
func (w *writer) taker(r *record, now time.Time) *consumer {
	if r.due() > now.UnixMilli() {
		return nil
	}
	for _, c := range w.consumers {
		if c.queue == r.queue() && c.room(now) > 0 && !c.due(high, now) && !c.due(normal, now) && !c.due(low, now) && !c.quarantineWaits(now) {
			return c
		}
	}
	return nil
}

// storing is a message on its way into the file.
type storing struct {
	record *record
	err    *error       // the outcome
	at     int          // its place in the insert
	taken  *delivery    // it is stored as claimed; or nil
	owner  driver.Value // then the consumer's id
}

// store inserts messages. With take, consumers that wait for one get it at
// once. An error means that the transaction is lost.
func (w *writer) store(messages []storing, take bool, now time.Time) error {
	for len(messages) > 0 {
		n := chunkOf(len(messages))
		if err := w.storeChunk(messages[:n], take, now); err != nil {
			return err
		}
		messages = messages[n:]
	}
	return nil
}

func (w *writer) storeChunk(messages []storing, take bool, now time.Time) error {
	for i := range messages {
		m := &messages[i]
		c := w.taker(m.record, now)
		if c == nil || !take {
			continue
		}
		m.taken, m.owner = &delivery{consumer: c, owner: c.id}, c.id
		if err := readMessage(&m.taken.message, m.record[:]); err != nil {
			return err
		}
		m.taken.message.Body = bytes.Clone(m.taken.message.Body) // it is the caller's
		c.batch = append(c.batch, m.taken)
	}
	f := formOf(messages)
	w.args = f.appendArgs(w.args[:0], messages)
	n, last, err := w.conn.insert(f.sql[len(messages)], w.args...)
	if err != nil {
		return err
	}
	first := last - int64(n) + 1 // rowids follow one another
	if n < len(messages) {
		if messages, err = w.dropDuplicates(messages, n, first); err != nil {
			return err
		}
	}
	for i, m := range messages {
		*m.err = nil
		if m.taken != nil {
			m.taken.seq = first + int64(i)
		} else {
			w.arrived(m.record)
		}
	}
	return nil
}

// dropDuplicates returns the messages that were stored, n rows beginning with
// first, and gives the others their error.
func (w *writer) dropDuplicates(messages []storing, n int, first int64) (stored []storing, err error) {
	ids := make(map[string]bool)
	if n > 0 {
		if err := w.conn.query(func(row []driver.Value) error {
			ids[row[0].(string)] = true
			return nil
		}, "SELECT id FROM dtask_messages WHERE seq >= ? AND seq < ?", first, first+int64(n)); err != nil {
			return nil, err
		}
	}
	for _, m := range messages {
		if id := m.record[0].(string); ids[id] {
			delete(ids, id) // the same again is another one
			stored = append(stored, m)
			continue
		}
		*m.err = broker.ErrDuplicate
		if d := m.taken; d != nil {
			d.consumer.batch = slices.DeleteFunc(d.consumer.batch, func(other *delivery) bool { return other == d })
		}
	}
	return stored, nil
}
