package wire

import "sync"

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// maxSmall is the size up to which frames are written at once if nothing is
// outstanding, and their buffers kept.
const maxSmall = 8 << 10

// Publish publishes a message by an exchange; an empty one is the default
// exchange, where key names the queue. The channel must be a publisher.
func (ch *Channel) Publish(exchange, key string, p *Properties, body []byte) (*Confirmation, error) {
	buf := buffers.Get().(*[]byte)
	b := appendPublish((*buf)[:0], ch.id, ch.conn.maxFrame(), exchange, key, p, body)
	c := newConfirmation(exchange, key, p.MessageID, len(body))

	// The order in which messages are added is the order in which they are
	// written, so the lock is held over both.
	ch.confirms.mu.Lock()
	outstanding := ch.confirms.add(c)
	if outstanding == 0 {
		ch.confirms.mu.Unlock()
		return nil, ch.Err()
	}
	// What cannot be written any more is lost with the channel, at its end.
	finish := func() {}
	if outstanding == 1 && len(b) <= maxSmall {
		finish = ch.writeSoon(b) // RabbitMQ has read all before: there is room
	} else {
		ch.write(b)
	}
	ch.confirms.mu.Unlock()
	finish()
	if cap(b) <= maxSmall {
		*buf = b
		buffers.Put(buf)
	}
	return c, nil
}

// Oldest returns the tag of the oldest message that is not confirmed, and the
// queue it was published to; 0 if all are.
func (ch *Channel) Oldest() (tag uint64, queue string) {
	ch.confirms.mu.Lock()
	defer ch.confirms.mu.Unlock()
	return ch.confirms.oldest()
}
