package results

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A reader reads the records of a stream from a place on.
type reader struct {
	ch       *wire.Channel
	prefetch int
	read     []*wire.Delivery // and not returned yet
}

// A place is where the reading of a stream begins: at an offset, at what was recorded
// at a time, or, with neither, at the first record that there is.
type place struct {
	offset int64 // if time is zero, from 1
	time   time.Time
}

// read begins to read a stream. When it returns, the place is fixed: what is
// published from then on is read for certain.
func read(ctx context.Context, conn *wire.Conn, stream string, from place, prefetch int) (*reader, error) {
	ch, err := conn.Channel(ctx)
	if err != nil {
		return nil, err
	}
	begun := make(chan error, 1)
	go func() { begun <- consume(ch, stream, from, prefetch) }()
	select {
	case err = <-begun:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		go ch.Close()
		return nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	return &reader{ch: ch, prefetch: prefetch}, nil
}

func consume(ch *wire.Channel, stream string, from place, prefetch int) error {
	var arguments wire.Builder
	switch {
	case !from.time.IsZero():
		arguments.Time(headerOffset, from.time.Unix())
	case from.offset > 0:
		arguments.Int(headerOffset, from.offset)
	default:
		arguments.Text(headerOffset, "first")
	}
	err := ch.Consume(stream, "results", prefetch, arguments.Table())
	var refused *amqp.Error
	switch {
	case !errors.As(err, &refused):
	case refused.Code == amqp.PreconditionFailed:
		err = fmt.Errorf("%w; every node of the cluster needs a replica, see rabbitmq-streams add_replica", err)
	case refused.Code == amqp.AccessRefused:
		err = fmt.Errorf("%w; the user lacks a permission; grant read for it", err)
	}
	return err
}

// next returns the next record.
func (r *reader) next(ctx context.Context) (*record, error) {
	if len(r.read) == 0 {
		var err error
		if r.read, err = r.ch.Wait(ctx); err != nil {
			return nil, err
		}
	}
	d := r.read[0]
	r.read = r.read[1:]
	if d.Tag%uint64(max(1, r.prefetch/2)) == 0 {
		if err := r.ch.Ack(d.Tag, true); err != nil {
			return nil, err
		}
	}
	return decode(d), nil
}

// close ends the reading. It does not wait for RabbitMQ.
func (r *reader) close() { go r.ch.Close() }
