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
	ch   *wire.Channel
	read []*wire.Delivery // and not returned yet
}

// read begins to read a stream, from "first", "next" or a time. When it returns,
// the place is fixed: what is published from then on is read for certain.
func read(ctx context.Context, conn *wire.Conn, stream string, from any) (*reader, error) {
	ch, err := conn.Channel(ctx)
	if err != nil {
		return nil, err
	}
	begun := make(chan error, 1)
	go func() { begun <- consume(ch, stream, from) }()
	select {
	case err = <-begun:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		go ch.Close()
		return nil, fmt.Errorf("read stream %s: %w", stream, err)
	}
	return &reader{ch: ch}, nil
}

func consume(ch *wire.Channel, stream string, from any) error {
	var arguments wire.Builder
	switch from := from.(type) {
	case string:
		arguments.Text(headerOffset, from)
	case time.Time:
		arguments.Time(headerOffset, from.Unix())
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
func (r *reader) next(ctx context.Context) (record, error) {
	if len(r.read) == 0 {
		var err error
		if r.read, err = r.ch.Wait(ctx); err != nil {
			return record{}, err
		}
	}
	d := r.read[0]
	r.read = r.read[1:]
	if d.Tag%(prefetch/2) == 0 {
		if err := r.ch.Ack(d.Tag, true); err != nil {
			return record{}, err
		}
	}
	return decode(d), nil
}

// close ends the reading. It does not wait for RabbitMQ.
func (r *reader) close() { go r.ch.Close() }
