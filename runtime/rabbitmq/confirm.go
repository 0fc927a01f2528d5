package rabbitmq

import (
	"cmp"
	"fmt"
	"sync"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/frame"
)

// An outcome is what became of a published message.
type outcome int

const (
	confirmed outcome = iota + 1 // durable
	unroutable
	refused // by the queue
	lost    // nobody knows
)

// A confirmation tells the outcome of one published message.
type confirmation struct {
	done     chan outcome // has room for it
	id, key  string       // by which a returned message is known
	exchange string
	size     int // of the body
	returned bool
}

var confirmations = sync.Pool{New: func() any { return &confirmation{done: make(chan outcome, 1)} }}

// free makes the confirmation available to others. Its outcome was received.
func (c *confirmation) free() {
	c.id, c.key, c.exchange, c.returned = "", "", "", false
	confirmations.Put(c)
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxSmall is the size up to which frames are sent at once if nothing is
// outstanding, and their buffers kept.
const maxSmall = 8 << 10

// publish publishes a message by the default exchange, if exchange is empty,
// or another. The channel must be confirming.
func (ch *channel) publish(exchange, key string, p *frame.Properties, body []byte) (*confirmation, error) {
	buf := buffers.Get().(*[]byte)
	b := frame.AppendPublish((*buf)[:0], ch.id, ch.maxFrame, exchange, key, p, body)
	c := confirmations.Get().(*confirmation)
	c.id, c.key, c.exchange, c.size = p.MessageID, key, exchange, len(body)

	ch.pubMu.Lock()
	if isClosed(ch.closed) {
		ch.pubMu.Unlock()
		return nil, ch.err
	}
	ch.outstanding = append(ch.outstanding, c)
	// What cannot be written any more is lost with the channel, at its end.
	finish := func() {}
	if len(ch.outstanding) == 1 && len(b) <= maxSmall {
		finish = ch.writeSoon(b) // RabbitMQ has read all before: there is room
	} else {
		ch.write(b)
	}
	ch.pubMu.Unlock()
	finish()
	if cap(b) <= maxSmall {
		*buf = b
		buffers.Put(buf)
	}
	return c, nil
}

// confirm takes a confirm, of one message or of all up to it.
func (ch *channel) confirm(ok bool, arguments string) error {
	r := frame.NewReader(arguments)
	tag, multiple := r.Uint64(), r.Octet()&1 != 0
	if !r.OK() {
		return errFrame
	}
	o := refused
	if ok {
		o = confirmed
	}
	done, err := ch.pop(tag, multiple)
	for _, c := range done { // without the lock, which those who wait want next
		if c.returned && ok {
			ch.resolve(c, unroutable)
		} else {
			ch.resolve(c, o)
		}
	}
	clear(done)
	return err
}

// pop takes messages that are confirmed off the outstanding ones.
func (ch *channel) pop(tag uint64, multiple bool) ([]*confirmation, error) {
	ch.pubMu.Lock()
	defer ch.pubMu.Unlock()
	if isClosed(ch.closed) {
		return nil, nil
	}
	n := uint64(len(ch.outstanding))
	if tag == 0 && multiple {
		tag = ch.firstTag + n - 1 // all there are
	}
	if tag < ch.firstTag || tag >= ch.firstTag+n {
		return nil, fmt.Errorf("RabbitMQ confirms message %d, which is not outstanding", tag)
	}
	last := int(tag - ch.firstTag)
	first := last
	if multiple {
		first = 0
	}
	done := ch.done[:0]
	for i, c := range ch.outstanding[first : last+1] {
		if c != nil {
			done = append(done, c)
			ch.outstanding[first+i] = nil
		}
	}
	ch.done = done
	confirmed := 0 // all before it are
	for confirmed < len(ch.outstanding) && ch.outstanding[confirmed] == nil {
		confirmed++
	}
	ch.firstTag += uint64(confirmed)
	ch.outstanding = ch.outstanding[confirmed:]
	return done, nil
}

func (ch *channel) resolve(c *confirmation, o outcome) {
	if ch.onConfirm != nil {
		ch.onConfirm(c.size)
	}
	c.done <- o
}

// markReturned notes that a message was returned. RabbitMQ does so before it
// confirms it.
func (ch *channel) markReturned(id, key string) {
	ch.pubMu.Lock()
	defer ch.pubMu.Unlock()
	for _, c := range ch.outstanding {
		if c != nil && !c.returned && c.id == id && c.key == key {
			c.returned = true
			return
		}
	}
}

// oldest returns the tag of the oldest message that is not confirmed, or 0, and
// the queue it was published to.
func (ch *channel) oldest() (tag uint64, queue string) {
	ch.pubMu.Lock()
	defer ch.pubMu.Unlock()
	if len(ch.outstanding) == 0 {
		return 0, ""
	}
	first := ch.outstanding[0]
	// The exchange of a level of delay has the name of its queue.
	return ch.firstTag, cmp.Or(first.exchange, first.key)
}
