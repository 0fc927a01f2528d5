// Package stream reads streams of RabbitMQ (https://www.rabbitmq.com/docs/streams):
// logs that anybody can read from any place, without taking something away.
package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// HeaderOffset is the header by which RabbitMQ says where in the stream a message is.
const HeaderOffset = "x-stream-offset"

// A Reader reads the messages of a stream from a place on.
type Reader struct {
	ch       *wire.Channel
	prefetch int
	read     []*wire.Delivery // and not returned yet
}

// A Place is where the reading of a stream begins: at an offset, at what was recorded
// at a time, at the end, or, with neither, at the first message that there is.
type Place struct {
	Offset int64 // if Time is zero, from 1
	Time   time.Time

	// Last is the end: the messages that RabbitMQ has written last, which are some if
	// there are any, and what follows.
	Last bool
}

// Read begins to read a stream. When it returns, the place is fixed: what is
// published from then on is read for certain. RabbitMQ sends prefetch messages ahead,
// and is told by halves of them how far the reading has come.
func Read(ctx context.Context, conn *wire.Conn, stream string, from Place, prefetch int) (*Reader, error) {
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
	return &Reader{ch: ch, prefetch: prefetch}, nil
}

func consume(ch *wire.Channel, stream string, from Place, prefetch int) error {
	var arguments wire.Builder
	switch {
	case from.Last:
		arguments.Text(HeaderOffset, "last")
	case !from.Time.IsZero():
		arguments.Time(HeaderOffset, from.Time.Unix())
	case from.Offset > 0:
		arguments.Int(HeaderOffset, from.Offset)
	default:
		arguments.Text(HeaderOffset, "first")
	}
	err := ch.Consume(stream, "stream", prefetch, arguments.Table())
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

// Next returns the next message.
func (r *Reader) Next(ctx context.Context) (*wire.Delivery, error) {
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
	return d, nil
}

// Close ends the reading. It does not wait for RabbitMQ.
func (r *Reader) Close() { go r.ch.Close() }
