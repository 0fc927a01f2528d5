package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/frame"
)

// A channel is an AMQP channel on which messages travel. The client library
// opens connections, keeps them alive, and declares; messages are published,
// confirmed, delivered and acknowledged here, on channels of the same
// connection of which the library knows nothing: the stream beneath divides the
// numbers of channels between them (tune).
//
// The library takes a lock and a flush for a message, and two more goroutines on
// the way back; docs/performance.md has what that makes. And what it hides is in plain sight here: that a message was returned is
// known before it is confirmed, in the one goroutine that reads both, and a
// negative confirm is not taken for a lost connection.
//
// A channel ends when it is closed, by us or by RabbitMQ, or with its session.
type channel struct {
	session  *session
	id       uint16
	maxFrame int

	calling sync.Mutex // one call at a time waits for its reply
	replies chan reply

	writeMu sync.Mutex
	over    bool // the frame that ends the channel was written: no other may be

	// What was published and is not confirmed yet, by tag.
	pubMu       sync.Mutex
	firstTag    uint64          // of outstanding[0]
	outstanding []*confirmation // nil: confirmed before its turn
	onConfirm   func(size int)  // called for each that is resolved; may be nil

	// What was delivered and is not taken yet.
	inMu      sync.Mutex
	inbox     []*incoming
	cancelled []string      // tags of consumers that RabbitMQ has cancelled
	arrived   chan struct{} // signaled when there is something to take

	closeOnce sync.Once
	closed    chan struct{} // closed at the end
	err       error         // why; valid once closed is

	// The rest belongs to the goroutine that reads.
	content   *content          // the message that is being received
	consumers map[string]string // the tags that were seen
	lastKey   string            // of a delivery
	lastTag   uint64
	done      []*confirmation // reused
}

// A reply is a method that answers a call.
type reply struct {
	method    frame.Method
	arguments string
}

// An incoming is a message as RabbitMQ has delivered it.
type incoming struct {
	tag      uint64
	consumer string // the tag of the consumer
	key      string // routing key
	frame.Properties
	body []byte
}

// A content is a message of which not all frames have come.
type content struct {
	*incoming
	returned bool // else delivered
	begun    bool // the properties have come
	missing  uint64
}

func newChannel(s *session) *channel {
	ch := &channel{
		session:   s,
		maxFrame:  s.conn.Config.FrameSize,
		replies:   make(chan reply, 1),
		firstTag:  1,
		arrived:   make(chan struct{}, 1),
		closed:    make(chan struct{}),
		consumers: make(map[string]string),
	}
	if ch.maxFrame == 0 {
		ch.maxFrame = frameSize
	}
	return ch
}

// openChannel opens a channel on s.
func openChannel(s *session) (*channel, error) {
	ch := newChannel(s)
	if err := s.stream.add(ch); err != nil {
		return nil, err
	}
	go func() { // ends with the channel
		select {
		case <-s.closed:
			ch.end(s.err)
		case <-ch.closed:
		}
	}()
	if _, err := ch.call(frame.ChannelOpen, frame.ChannelOpenOK, []byte{0}); err != nil {
		return nil, err
	}
	return ch, nil
}

// openConfirming opens a channel on s on which to publish.
func openConfirming(ctx context.Context, s *session) (*channel, error) {
	return within(ctx, func() (*channel, error) {
		ch, err := openChannel(s)
		if err == nil {
			_, err = ch.call(frame.ConfirmSelect, frame.ConfirmSelectOK, []byte{0})
		}
		return ch, err
	}, func(ch *channel) { ch.close() })
}

// close closes the channel, and waits until RabbitMQ knows.
func (ch *channel) close() error {
	arguments := []byte{0, 200} // reply code: success
	arguments = append(frame.AppendShort(arguments, ""), 0, 0, 0, 0)
	ch.calling.Lock()
	defer ch.calling.Unlock()
	_, err := ch.exchange(ch.writeLast, frame.ChannelClose, frame.ChannelCloseOK, arguments)
	ch.end(errSessionClosed)
	return err
}

// end ends the channel for the given reason. What is not confirmed is lost.
func (ch *channel) end(err error) {
	ch.closeOnce.Do(func() {
		ch.err = err
		close(ch.closed)
		ch.writeMu.Lock()
		ch.over = true
		ch.writeMu.Unlock()
		ch.session.stream.remove(ch) // another one may have the number now
		ch.pubMu.Lock()
		defer ch.pubMu.Unlock()
		for _, c := range ch.outstanding {
			if c != nil {
				ch.resolve(c, lost)
			}
		}
		ch.outstanding = nil
	})
}

// call sends a method and waits for its answer, or for the end of the channel.
func (ch *channel) call(m, answer frame.Method, arguments []byte) (string, error) {
	ch.calling.Lock()
	defer ch.calling.Unlock()
	return ch.exchange(ch.write, m, answer, arguments)
}

// exchange is call with ch.calling held.
func (ch *channel) exchange(write func([]byte) error, m, answer frame.Method, arguments []byte) (string, error) {
	if err := write(frame.AppendMethod(nil, ch.id, m, arguments)); err != nil {
		return "", err
	}
	select {
	case r := <-ch.replies:
		if r.method != answer {
			return "", fmt.Errorf("RabbitMQ answers method %#x with %#x", m, r.method)
		}
		return r.arguments, nil
	case <-ch.closed:
		return "", ch.err
	}
}

// write writes frames, unless the channel is over: its number may be another
// one's by now, where an acknowledgement would remove somebody else's message.
func (ch *channel) write(b []byte) error {
	ch.writeMu.Lock()
	defer ch.writeMu.Unlock()
	return ch.writeLocked(b)
}

// writeLast writes the last frame of the channel.
func (ch *channel) writeLast(b []byte) error {
	ch.writeMu.Lock()
	defer ch.writeMu.Unlock()
	err := ch.writeLocked(b)
	ch.over = true
	return err
}

// answerClose answers that RabbitMQ closes the channel. It reports whether that
// is its end: if we are closing it, too, RabbitMQ answers that as well, and the
// number is not free before.
func (ch *channel) answerClose() (last bool) {
	ch.writeMu.Lock()
	defer ch.writeMu.Unlock()
	last = !ch.over
	ch.over = true
	ch.session.stream.Write(frame.AppendMethod(nil, ch.id, frame.ChannelCloseOK, nil))
	return last
}

// writeSoon writes a little when nothing else is under way: by itself, if it
// can, when the caller calls finish.
func (ch *channel) writeSoon(b []byte) (finish func()) {
	ch.writeMu.Lock()
	defer ch.writeMu.Unlock()
	if st := ch.session.stream; !ch.over && st.reserve() {
		return func() { st.writeReserved(b) }
	}
	ch.writeLocked(b)
	return func() {}
}

// writeLocked is write with ch.writeMu held.
func (ch *channel) writeLocked(b []byte) error {
	if ch.over {
		return errSessionClosed
	}
	_, err := ch.session.stream.Write(b)
	return err
}

// qos sets the prefetch of the consumers that are started from now on.
func (ch *channel) qos(prefetch int) error {
	arguments := []byte{0, 0, 0, 0, byte(prefetch >> 8), byte(prefetch), 0}
	_, err := ch.call(frame.BasicQoS, frame.BasicQoSOK, arguments)
	return err
}

// consume starts a consumer under a tag that is new.
func (ch *channel) consume(queue, tag string, arguments frame.Table) error {
	b := frame.AppendShort([]byte{0, 0}, queue)
	b = append(frame.AppendShort(b, tag), 0)
	_, err := ch.call(frame.BasicConsume, frame.BasicConsumeOK, arguments.Append(b))
	return err
}

// cancel ends a consumer. With quorum queues messages of it may still come.
func (ch *channel) cancel(tag string) error {
	_, err := ch.call(frame.BasicCancel, frame.BasicCancelOK, append(frame.AppendShort(nil, tag), 0))
	return err
}

// take returns the messages that have arrived since the last call. It goes on to
// collect in reuse, the result of an earlier call that is needed no more.
func (ch *channel) take(reuse []*incoming) []*incoming {
	clear(reuse)
	ch.inMu.Lock()
	defer ch.inMu.Unlock()
	in := ch.inbox
	ch.inbox = reuse[:0]
	return in
}

// takeCancelled returns the tags of the consumers that RabbitMQ has cancelled
// since the last call, because their queues were deleted.
func (ch *channel) takeCancelled() []string {
	ch.inMu.Lock()
	defer ch.inMu.Unlock()
	tags := ch.cancelled
	ch.cancelled = nil
	return tags
}

var errCancelled = errors.New("RabbitMQ has cancelled the consumption; the queue may have been deleted")

// wait returns the messages that have arrived since the last call, and waits
// for some. It is for channels with one consumer.
func (ch *channel) wait(ctx context.Context) ([]*incoming, error) {
	for {
		if in := ch.take(nil); len(in) > 0 {
			return in, nil
		}
		if len(ch.takeCancelled()) > 0 {
			return nil, errCancelled
		}
		select {
		case <-ch.arrived:
		case <-ch.closed:
			return nil, ch.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// inspect returns how many messages of a queue, which exists, are ready.
func (ch *channel) inspect(queue string) (ready int, err error) {
	const passive = 1
	arguments := append(frame.AppendShort([]byte{0, 0}, queue), passive)
	answer, err := ch.call(frame.QueueDeclare, frame.QueueDeclareOK, frame.Table("").Append(arguments))
	r := frame.NewReader(answer)
	r.Short() // the name
	return int(r.Uint32()), err
}

// ack acknowledges the delivery with the given tag, or all up to it.
func (ch *channel) ack(tag uint64, multiple bool) error {
	var flags byte
	if multiple {
		flags = 1
	}
	return ch.write(frame.AppendAck(make([]byte, 0, 32), ch.id, frame.BasicAck, tag, flags))
}

// reject has RabbitMQ move a delivery to the dead letters.
func (ch *channel) reject(tag uint64) error {
	return ch.write(frame.AppendAck(nil, ch.id, frame.BasicReject, tag, 0))
}

// requeueAll gives back all deliveries that are not acknowledged.
func (ch *channel) requeueAll() error {
	const multiple, requeue = 1, 2
	return ch.write(frame.AppendAck(nil, ch.id, frame.BasicNack, 0, multiple|requeue))
}
