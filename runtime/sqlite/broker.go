package sqlite

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/internal/safelog"
)

func init() {
	broker.Register(scheme, func(ctx context.Context, url string, c broker.Config) (broker.Broker, error) {
		return Open(ctx, url, c)
	})
}

// Broker is a [broker.Broker] in a file. Get one from [Open], or use it through
// [dtask.Open].
type Broker struct {
	target
	library string // that has opened it, see userTx.check
	store   string // the id of its tables

	writer *writer

	readers

	journalCounted atomic.Int64 // when the rows were counted, in Unix seconds
	journalOldest  atomic.Int64 // minutes before go, in Unix milliseconds: there is no room
}

var _ broker.Broker = (*Broker)(nil)

// Open opens the file that url names. It makes the file and the tables if there are
// none.
func Open(ctx context.Context, url string, config broker.Config) (*Broker, error) {
	t, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	named := t.file
	if t.file, err = resolve(t.file); err == nil {
		err = create(t.file)
	}
	if err == nil {
		err = soleName(t.file)
	}
	if err != nil {
		return nil, explain(t.file, err)
	}
	c, id, err := openIdentified(ctx, t, named)
	if err != nil {
		return nil, explain(t.file, err)
	}
	b := &Broker{target: t}
	if b.library, err = c.text("SELECT " + library); err == nil {
		b.store, err = c.text("SELECT id FROM dtask_store")
	}
	if err != nil {
		c.close()
		return nil, explain(t.file, err)
	}
	clock, err := startClock(c, time.Now())
	if err != nil {
		c.close()
		return nil, explain(t.file, err)
	}
	b.writer = newWriter(t, c, id, clock, safelog.New(config.Logger))
	go b.writer.run()
	return b, nil
}

// Close waits until what was enqueued and settled is durable, and closes the
// file. Consumers that are still open give up their deliveries.
func (b *Broker) Close() error {
	return errors.Join(b.writer.close(), b.quick.close(), b.totals.close(), b.pages.close(), b.survey.close())
}
