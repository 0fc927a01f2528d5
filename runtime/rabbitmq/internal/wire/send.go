package wire

// After the frame that ends a channel no other may be written on it. Its number
// may be another channel's by then, and an acknowledgement there would remove
// somebody else's message.

// write writes frames.
func (ch *Channel) write(frames []byte) error {
	ch.writing.Lock()
	defer ch.writing.Unlock()
	return ch.writeLocked(frames)
}

// writeLast writes the last frame of the channel.
func (ch *Channel) writeLast(frame []byte) error {
	ch.writing.Lock()
	defer ch.writing.Unlock()
	err := ch.writeLocked(frame)
	ch.last = true
	return err
}

// writeLocked is write with ch.writing held.
func (ch *Channel) writeLocked(frames []byte) error {
	if ch.last {
		return ErrClosed
	}
	return ch.conn.transport.send(frames)
}

// writeSoon writes frames when nothing else is under way: they are written by
// the caller itself if it can do that, when it calls finish.
func (ch *Channel) writeSoon(frames []byte) (finish func()) {
	ch.writing.Lock()
	defer ch.writing.Unlock()
	if t := ch.conn.transport; !ch.last && t.reserve() {
		return func() { t.sendReserved(frames) }
	}
	ch.writeLocked(frames)
	return func() {}
}

// answerClose answers that RabbitMQ closes the channel. It reports whether that
// is all there is to say on the channel. It is not if we are closing it, too:
// RabbitMQ answers that as well, and the number is not free before.
func (ch *Channel) answerClose() (over bool) {
	ch.writing.Lock()
	defer ch.writing.Unlock()
	over = !ch.last
	ch.last = true
	ch.conn.transport.send(appendMethod(nil, ch.id, channelCloseOK, nil))
	return over
}
