package wire

// Consume starts a consumer of a queue, under a tag that is new. prefetch is how
// many of its deliveries may be unacknowledged; 0 is no bound.
//
// With arguments, when Consume returns RabbitMQ has applied them: the place in a
// stream is fixed, and whatever is published from then on is delivered.
func (ch *Channel) Consume(queue, tag string, prefetch int, arguments Table) error {
	ch.consuming.Lock() // the prefetch is that of the next consumer
	defer ch.consuming.Unlock()
	if err := ch.qos(prefetch); err != nil {
		return err
	}
	b := appendShort([]byte{0, 0}, queue)
	b = append(appendShort(b, tag), 0)
	b = appendLong(b, string(arguments))
	if _, err := ch.call(basicConsume, basicConsumeOK, b); err != nil || arguments == "" {
		return err
	}
	// RabbitMQ answers before it has looked up a place in a stream. It serves a
	// channel in order, so with a second answer that is done.
	return ch.qos(prefetch)
}

// qos sets the prefetch of the consumers that are started from now on.
func (ch *Channel) qos(prefetch int) error {
	_, err := ch.call(basicQoS, basicQoSOK, []byte{0, 0, 0, 0, byte(prefetch >> 8), byte(prefetch), 0})
	return err
}

// Cancel ends a consumer. With quorum queues messages of it may still come.
func (ch *Channel) Cancel(tag string) error {
	_, err := ch.call(basicCancel, basicCancelOK, append(appendShort(nil, tag), 0))
	return err
}

// Ready returns how many messages of a queue, which exists, are ready. RabbitMQ
// answers when it has done what was sent on the channel before.
func (ch *Channel) Ready(queue string) (int, error) {
	ready, _, err := ch.Length(queue)
	return ready, err
}

// Length is Ready that also returns how many consumers the queue has.
func (ch *Channel) Length(queue string) (ready, consumers int, err error) {
	const passive = 1
	b := append(appendShort([]byte{0, 0}, queue), passive)
	arguments, err := ch.call(queueDeclare, queueDeclareOK, appendLong(b, ""))
	r := reader{rest: arguments}
	r.short() // the name
	ready = int(r.uint(4))
	return ready, int(r.uint(4)), err
}

// Ack acknowledges the delivery with the given tag, or all up to it.
func (ch *Channel) Ack(tag uint64, multiple bool) error {
	var flags byte
	if multiple {
		flags = 1
	}
	return ch.write(appendAck(make([]byte, 0, 32), ch.id, basicAck, tag, flags))
}

// Reject has RabbitMQ move a delivery to the dead letters.
func (ch *Channel) Reject(tag uint64) error {
	return ch.write(appendAck(nil, ch.id, basicReject, tag, 0))
}

// Requeue gives back all deliveries that are not acknowledged.
func (ch *Channel) Requeue() error {
	const multiple, requeue = 1, 2
	return ch.write(appendAck(nil, ch.id, basicNack, 0, multiple|requeue))
}
