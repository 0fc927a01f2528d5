package rabbitmq

import (
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/frame"
)

// receive takes a frame from RabbitMQ. The payload is valid during the call. An
// error ends the connection.
func (ch *channel) receive(typ byte, payload []byte) error {
	switch typ {
	case frame.TypeMethod:
		if ch.content != nil {
			// AMQP allows it, RabbitMQ does not do it, and the tag of a delivery that
			// never comes would be in the way of those after it.
			return errFrame
		}
		m, arguments := frame.SplitMethod(payload)
		return ch.method(m, arguments)
	case frame.TypeHeader:
		return ch.properties(string(payload))
	case frame.TypeBody:
		return ch.body(payload)
	}
	return fmt.Errorf("a frame of type %d on channel %d", typ, ch.id)
}

var errFrame = errors.New("malformed frame")

// method takes a method.
func (ch *channel) method(m frame.Method, arguments []byte) error {
	switch m {
	case frame.BasicDeliver:
		return ch.deliver(arguments)
	case frame.BasicAck, frame.BasicNack:
		return ch.confirm(m == frame.BasicAck, string(arguments))
	}
	r := frame.NewReader(string(arguments))
	switch m {
	case frame.BasicReturn:
		r.Uint16() // reply code
		r.Short()  // reply text
		r.Short()  // exchange
		ch.content = &content{incoming: &incoming{key: r.Short()}, returned: true}
	case frame.BasicCancel:
		tag := r.Short()
		if acceptsCancelOK(ch.session.conn) {
			ch.write(frame.AppendMethod(nil, ch.id, frame.BasicCancelOK, frame.AppendShort(nil, tag)))
		}
		ch.inMu.Lock()
		ch.cancelled = append(ch.cancelled, tag)
		ch.inMu.Unlock()
		signal(ch.arrived)
	case frame.ChannelFlow:
		ch.write(frame.AppendMethod(nil, ch.id, frame.ChannelFlowOK, arguments))
	case frame.ChannelClose:
		code, text := r.Uint16(), r.Short()
		if ch.answerClose() {
			ch.end(&amqp.Error{Code: int(code), Reason: text, Server: true})
		}
	default:
		select {
		case ch.replies <- reply{m, string(arguments)}:
		default:
			return fmt.Errorf("RabbitMQ sends method %#x, which answers nothing", m)
		}
	}
	if !r.OK() {
		return errFrame
	}
	return nil
}

// acceptsCancelOK reports whether a server wants to know that a client has
// heard of the end of a consumer. Those before 4.3 end the connection if told.
func acceptsCancelOK(conn *amqp.Connection) bool {
	capabilities, _ := conn.Properties["capabilities"].(amqp.Table)
	accepts, _ := capabilities["accept_consumer_cancel_ok"].(bool)
	return accepts
}

// deliver begins a delivery. Its strings are the same again and again, and made
// once.
func (ch *channel) deliver(arguments []byte) error {
	in := &incoming{}
	ch.content = &content{incoming: in}
	n := 0
	short := func() []byte { // of the rest of the arguments
		if n >= len(arguments) || n+1+int(arguments[n]) > len(arguments) {
			n = len(arguments) + 1
			return nil
		}
		s := arguments[n+1 : n+1+int(arguments[n])]
		n += 1 + len(s)
		return s
	}
	tag := short()
	var ok bool
	if in.consumer, ok = ch.consumers[string(tag)]; !ok {
		in.consumer = string(tag)
		ch.consumers[in.consumer] = in.consumer
	}
	if n+9 > len(arguments) {
		return errFrame
	}
	for _, b := range arguments[n : n+8] {
		in.tag = in.tag<<8 | uint64(b)
	}
	if ch.lastTag++; in.tag != ch.lastTag {
		return fmt.Errorf("RabbitMQ delivers message %d after %d", in.tag, ch.lastTag-1)
	}
	n += 9  // and whether it was delivered before
	short() // exchange
	if key := short(); string(key) != ch.lastKey {
		ch.lastKey = string(key)
	}
	in.key = ch.lastKey
	if n > len(arguments) {
		return errFrame
	}
	return nil
}

// properties takes the size and the properties of a content.
func (ch *channel) properties(payload string) (err error) {
	c := ch.content
	if c == nil || c.begun {
		return errFrame
	}
	c.begun = true
	if c.missing, c.Properties, err = frame.ParseContent(payload); err != nil {
		return err
	}
	c.incoming.body = make([]byte, 0, min(c.missing, frameSize))
	return ch.complete()
}

// body takes a part of the body of a content.
func (ch *channel) body(part []byte) error {
	c := ch.content
	if c == nil || !c.begun || uint64(len(part)) > c.missing {
		return errFrame
	}
	c.incoming.body = append(c.incoming.body, part...)
	c.missing -= uint64(len(part))
	return ch.complete()
}

// complete passes a content on when all of it has come.
func (ch *channel) complete() error {
	c := ch.content
	if c.missing > 0 {
		return nil
	}
	ch.content = nil
	if c.returned {
		ch.markReturned(c.MessageID, c.key)
		return nil
	}
	ch.inMu.Lock()
	ch.inbox = append(ch.inbox, c.incoming)
	ch.inMu.Unlock()
	signal(ch.arrived)
	return nil
}
