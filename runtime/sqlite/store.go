package sqlite

import (
	"bytes"
	"database/sql/driver"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

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

// taker returns the consumer that would claim the message in the transaction
// that stores it, or nil. To store it as claimed saves the way through the
// index. It must not overtake others: nothing else may be due in the queue.
func (w *writer) taker(r *record, now time.Time) *consumer {
	if r.due() > now.UnixMilli() || w.taskPaused(r.task(), now) {
		return nil
	}
	for _, c := range w.consumers {
		if c.queue == r.queue() && c.room(now) > 0 && !c.due(high, now) && !c.due(normal, now) && !c.due(low, now) {
			return c
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
