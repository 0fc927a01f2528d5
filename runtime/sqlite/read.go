package sqlite

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// readers are the connections for reading, each for questions that take about as long:
// none waits for one that takes much longer. A connection is opened when it is needed.
type readers struct {
	quick  reader // what is asked all the time, and answered by a few rows
	totals reader // the states of the queues: counts in the indexes, a tenth of a second for a million messages
	pages  reader // a bounded number of rows
	survey reader // what may look at every message
}

// A reader is a connection for reading, which sees what is committed and keeps no
// writer waiting.
type reader struct {
	mu     sync.Mutex
	conn   *conn // nil until needed
	closed atomic.Bool
}

// read runs f on the connection for quick answers.
func (b *Broker) read(ctx context.Context, f func(*conn) error) error {
	return b.readOn(ctx, &b.quick, f)
}

// readOn runs f on a connection for reading.
func (b *Broker) readOn(ctx context.Context, r *reader, f func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed.Load() {
		return broker.ErrClosed
	}
	if err := b.writer.usable(); err != nil {
		return err
	}
	if r.conn == nil {
		c, err := connect(ctx, b.target)
		if err != nil {
			return explain(b.file, err)
		}
		if err := c.script("PRAGMA query_only = ON; PRAGMA busy_timeout = " + busyTimeout); err != nil {
			c.close()
			return explain(b.file, err)
		}
		r.conn = c
	}
	err := f(r.conn)
	b.writer.judge(err)
	return explain(b.file, err)
}

// busyTimeout is how long a connection for reading waits for another process, in
// milliseconds.
const busyTimeout = "5000"

// snapshotOn is like readOn, and all that f reads is of one moment.
func (b *Broker) snapshotOn(ctx context.Context, r *reader, f func(*conn) error) error {
	return b.readOn(ctx, r, func(c *conn) error {
		if _, err := c.exec("BEGIN"); err != nil {
			return err
		}
		defer c.exec("ROLLBACK") // nothing was written
		return f(c)
	})
}

// close ends what is being read, and closes the connection.
func (r *reader) close() (err error) {
	r.closed.Store(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.conn != nil {
		err = r.conn.close()
		r.conn = nil
	}
	return err
}
