package wire

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"
)

var errFrame = errors.New("RabbitMQ sends a malformed frame")

// receive takes a frame from RabbitMQ. The payload is valid during the call. An
// error ends the connection.
func (ch *Channel) receive(typ byte, payload []byte) error {
	switch typ {
	case frameMethod:
		if ch.assembly.begun() {
			// AMQP allows it, but RabbitMQ does not do it, and the tag of a
			// delivery that never comes would be in the way of those after it.
			return errFrame
		}
		m, arguments := splitMethod(payload)
		return ch.method(m, arguments)
	case frameHeader:
		return ch.pass(ch.assembly.properties(string(payload)))
	case frameBody:
		return ch.pass(ch.assembly.body(payload))
	}
	return fmt.Errorf("RabbitMQ sends a frame of type %d on channel %d", typ, ch.id)
}

// method takes a method.
func (ch *Channel) method(m method, arguments []byte) error {
	switch m { // the frequent ones first
	case basicDeliver:
		return ch.assembly.deliver(arguments)
	case basicAck, basicNack:
		return ch.confirms.confirm(m == basicAck, string(arguments))
	}
	r := reader{rest: string(arguments)}
	switch m {
	case basicReturn:
		r.uint(2) // reply code
		r.short() // reply text
		r.short() // exchange
		ch.assembly.returned(r.short())
	case basicCancel:
		tag := r.short()
		if ch.conn.acceptsCancelOK() {
			ch.write(appendMethod(nil, ch.id, basicCancelOK, appendShort(nil, tag)))
		}
		ch.inbox.addCancelled(tag)
	case channelFlow:
		ch.write(appendMethod(nil, ch.id, channelFlowOK, arguments))
	case channelClose:
		code, text := r.uint(2), r.short()
		if ch.answerClose() {
			ch.end(&amqp.Error{Code: int(code), Reason: text, Server: true})
		} else {
			ch.endCrossed()
		}
	default:
		if ch.crossed && m == channelCloseOK {
			ch.conn.transport.numbers.remove(ch)
			break
		}
		if m == 0 || !ch.awaited.CompareAndSwap(uint32(m), 0) {
			return fmt.Errorf("RabbitMQ sends method %#x, which answers nothing", uint32(m))
		}
		ch.answers <- string(arguments)
	}
	if !r.ok() {
		return errFrame
	}
	return nil
}

// pass passes a content on when all of it has come.
func (ch *Channel) pass(c *content, err error) error {
	switch {
	case err != nil || c == nil:
		return err
	case c.returned:
		ch.confirms.markReturned(c.MessageID, c.Key)
	default:
		ch.conn.heard.Add(1)
		ch.inbox.add(c.Delivery)
	}
	return nil
}
