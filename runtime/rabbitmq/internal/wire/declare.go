package wire

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Declare runs f with a channel of the client library's, on which to declare
// queues and exchanges. The channel is for this call only, because a failed
// declaration closes it. The library does not heed contexts: if ctx ends first,
// Declare returns its error, and f goes on in the background until RabbitMQ
// answers, or is given up.
func (c *Conn) Declare(ctx context.Context, f func(*amqp.Channel) error) error {
	done := make(chan error, 1)
	go func() { done <- c.declare(f) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("RabbitMQ at %s has not answered yet: %w", c.host, ctx.Err())
	}
}

// declare is Declare without a context.
func (c *Conn) declare(f func(*amqp.Channel) error) error {
	answered := c.expectAnswer(&c.transport.answers)
	defer answered()
	ch, err := c.library.Channel()
	if err == nil {
		err = f(ch)
		ch.Close()
	}
	// The library dresses up the end of the connection as an exception.
	var e *amqp.Error
	if errors.As(err, &e) && !e.Server && c.Err() != nil {
		return c.Err()
	}
	return err
}
