package wire

import amqp "github.com/rabbitmq/amqp091-go"

// Blocked returns nil while RabbitMQ accepts messages. While it does not, for
// want of memory or disk, it returns a channel that is closed when RabbitMQ
// accepts them again, or when the connection is over.
func (c *Conn) Blocked() <-chan struct{} {
	if until := c.blocked.Load(); until != nil {
		return *until
	}
	return nil
}

// followBlocking follows whether RabbitMQ accepts messages. While it does not
// it does not read either, so writes are given time.
func (c *Conn) followBlocking(blocking <-chan amqp.Blocking) {
	defer c.unblock()
	for {
		select {
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
