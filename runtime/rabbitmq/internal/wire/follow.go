package wire

import (
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var errStuck = errors.New("RabbitMQ sends an answer that nobody has asked for")

// Blocked returns nil while RabbitMQ accepts messages. While it does not, for
// want of memory or disk, it returns a channel that is closed when RabbitMQ
// accepts them again, or when the connection is over.
func (c *Conn) Blocked() <-chan struct{} {
	if until := c.blocked.Load(); until != nil {
		return *until
	}
	return nil
}

// follow follows whether RabbitMQ accepts messages, and whether the library
// reads, until the connection is over.
//
// While RabbitMQ accepts none it does not read either, so writes are given
// time. A library that does not read waits for a caller to take an answer that
// nobody has asked for, and would do so for ever.
func (c *Conn) follow(blocking <-chan amqp.Blocking) {
	defer c.unblock()
	tick := time.NewTicker(2 * c.transport.readTimeout) // in that time a read has ended
	defer tick.Stop()
	reads := int64(0)
	for {
		select {
		case <-tick.C:
			last := reads
			if reads = c.transport.reads.Load(); reads == last {
				c.End(errStuck)
			}
		case b, ok := <-blocking:
			switch {
			case !ok:
				blocking = nil
			case b.Active && c.Blocked() == nil:
				c.log.Warn("RabbitMQ accepts no messages for want of a resource; waiting", "reason", b.Reason)
				c.transport.bePatient(true)
				until := make(chan struct{})
				c.blocked.Store(&until)
			case !b.Active && c.Blocked() != nil:
				c.log.Info("RabbitMQ accepts messages again")
				c.transport.bePatient(false)
				c.unblock()
			}
		case <-c.done:
			return
		}
	}
}

func (c *Conn) unblock() {
	if until := c.blocked.Swap(nil); until != nil {
		close(*until)
	}
}
