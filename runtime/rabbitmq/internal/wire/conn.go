package wire

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A Conn is a connection to RabbitMQ. When it is lost, all that belongs to it
// is void: its channels, what was delivered on them, and what was published on
// them and not confirmed. Nothing of it may be used on another connection: an
// acknowledgement sent there would remove somebody else's message.
type Conn struct {
	host      string
	library   *amqp.Connection
	transport *transport
	log       *slog.Logger
	maxBody   int

	// blocked is the channel that is closed when RabbitMQ accepts messages
	// again, or nil while it does.
	blocked atomic.Pointer[chan struct{}]

	heard atomic.Int64 // messages that were delivered

	once sync.Once
	done chan struct{}
	err  error // valid once done is closed
}

func newConn(library *amqp.Connection, t *transport, config Config) *Conn {
	c := &Conn{
		host: config.Host, library: library, transport: t, log: config.Log,
		maxBody: config.MaxBody, done: make(chan struct{}),
	}
	if c.log == nil {
		c.log = slog.Default()
	}
	ended := library.NotifyClose(make(chan *amqp.Error, 1))
	blocking := library.NotifyBlocked(make(chan amqp.Blocking, 8))
	go func() {
		c.End(fmt.Errorf("connection to %s: %w", c.host, reason(<-ended)))
	}()
	go c.follow(blocking)
	return c
}

// Done returns a channel that is closed when the connection is over.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns why the connection is over, or nil while it is not.
func (c *Conn) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// ErrClosed is why a channel is over that was closed by us.
var ErrClosed = errors.New("closed")

// End ends the connection, for the given reason. Only the first call has an
// effect.
func (c *Conn) End(err error) {
	c.once.Do(func() {
		c.err = err
		close(c.done)
		for _, ch := range c.transport.numbers.end(err) {
			ch.end(err)
		}
		c.library.CloseDeadline(time.Now().Add(closeTimeout))
	})
}

// reason returns why the library has closed a connection. What it found out by
// itself it dresses up as an exception of the server; here that is undone.
func reason(e *amqp.Error) error {
	switch {
	case e == nil:
		return ErrClosed
	case !e.Server:
		return errors.New(e.Reason)
	}
	return e
}

// Heard returns a number that changes with every message that is delivered.
func (c *Conn) Heard() int64 { return c.heard.Load() }

// MaxProperties returns how many bytes the properties of a message may have;
// see [Properties.Size].
func (c *Conn) MaxProperties() int { return c.maxFrame() - overhead }

// maxFrame returns the size of the largest frame, which was agreed on with
// RabbitMQ.
func (c *Conn) maxFrame() int {
	if size := c.library.Config.FrameSize; size > 0 {
		return size
	}
	return frameSize
}

// acceptsCancelOK reports whether RabbitMQ wants to know that a client has heard
// of the end of a consumer. Versions before 4.3 end the connection if told.
func (c *Conn) acceptsCancelOK() bool {
	capabilities, _ := c.library.Properties["capabilities"].(amqp.Table)
	accepts, _ := capabilities["accept_consumer_cancel_ok"].(bool)
	return accepts
}

// Cluster returns the name of the cluster, which all nodes have in common, or "" if the
// server names none.
func (c *Conn) Cluster() string {
	name, _ := c.library.Properties["cluster_name"].(string)
	return name
}
