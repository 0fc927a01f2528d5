package sqlite

import (
	"context"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// read runs f on the connection for reading, which sees what is committed and
// keeps no writer waiting.
func (b *Broker) read(ctx context.Context, f func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.readerMu.Lock()
	defer b.readerMu.Unlock()
	if b.closed {
		return broker.ErrClosed
	}
	if err := b.writer.usable(); err != nil {
		return err
	}
	if b.reader == nil {
		c, err := connect(ctx, b.target)
		if err != nil {
			return explain(b.file, err)
		}
		if err := c.script("PRAGMA query_only = ON; PRAGMA busy_timeout = " + busyTimeout); err != nil {
			c.close()
			return explain(b.file, err)
		}
		b.reader = c
	}
	err := f(b.reader)
	b.writer.judge(err)
	return explain(b.file, err)
}

// busyTimeout is how long the connection for reading waits for another process,
// in milliseconds.
const busyTimeout = "5000"

// readSnapshot is like read, and all that f reads is of one moment.
func (b *Broker) readSnapshot(ctx context.Context, f func(*conn) error) error {
	return b.read(ctx, func(c *conn) error {
		if _, err := c.exec("BEGIN"); err != nil {
			return err
		}
		defer c.exec("ROLLBACK") // nothing was written
		return f(c)
	})
}
