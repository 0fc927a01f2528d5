package sqlite

import (
	"context"
	"errors"
	"sync"

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

	writer *writer

	readerMu sync.Mutex
	reader   *conn // for inspection; nil until needed
	closed   bool
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
	if b.library, err = c.text("SELECT " + library); err != nil {
		c.close()
		return nil, explain(t.file, err)
	}
	b.writer = newWriter(t, c, id, safelog.New(config.Logger))
	go b.writer.run()
	return b, nil
}

// Close waits until what was enqueued and settled is durable, and closes the
// file. Consumers that are still open give up their deliveries.
func (b *Broker) Close() error {
	err := b.writer.close()
	b.readerMu.Lock()
	defer b.readerMu.Unlock()
	b.closed = true
	if b.reader != nil {
		err = errors.Join(err, b.reader.close())
		b.reader = nil
	}
	return err
}
