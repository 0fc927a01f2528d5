package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"sync"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/frame"
)

// A channel is an AMQP channel on which messages travel. The client library
// opens connections, keeps them alive, and declares; messages are published,
// confirmed, delivered and acknowledged here, on channels of the same
// connection of which the library knows nothing. They have the highest numbers,
// and the library takes the lowest.
//
// It costs a third of the library's processor time and a tenth of its
// allocations, which at tens of thousands of messages a second is what the
// client can do about throughput. And what the library hides is in plain sight:
//
//   - that a message was returned is known before it is confirmed, in the one
//     goroutine that reads both;
//   - a message that RabbitMQ sends while its consumer is being cancelled is not
//     dropped;
//   - that a confirm is negative is not taken for a lost connection.
//
// A channel ends when it is closed, by us or by RabbitMQ, or with its session.
type channel struct {
	session  *session
	id       uint16
	maxFrame int

	calling sync.Mutex // one call at a time waits for its reply
	replies chan reply

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
	done      []*confirmation   // reused
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
	if err := s.stream.add(ch, s.conn.Config.ChannelMax); err != nil {
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
	}, nil)
}

// close closes the channel, and waits until RabbitMQ knows.
func (ch *channel) close() error {
	arguments := []byte{0, 200} // reply code: success
	arguments = append(frame.AppendShort(arguments, ""), 0, 0, 0, 0)
	_, err := ch.call(frame.ChannelClose, frame.ChannelCloseOK, arguments)
	ch.end(errSessionClosed)
	return err
}

// end ends the channel for the given reason. What is not confirmed is lost.
func (ch *channel) end(err error) {
	ch.closeOnce.Do(func() {
		ch.session.stream.remove(ch)
		ch.err = err
		close(ch.closed)
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
	if isClosed(ch.closed) {
		return "", ch.err
	}
	if err := ch.write(frame.AppendMethod(nil, ch.id, m, arguments)); err != nil {
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

func (ch *channel) write(b []byte) error {
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

// receive takes a frame from RabbitMQ. The payload is valid during the call. An
// error ends the connection.
func (ch *channel) receive(typ byte, payload []byte) error {
	switch typ {
	case frame.TypeMethod:
		ch.content = nil // a method may interrupt a content
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
		ch.write(frame.AppendMethod(nil, ch.id, frame.ChannelCloseOK, nil))
		ch.end(&amqp.Error{Code: int(code), Reason: text, Server: true})
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
	size     int          // of the body
	returned bool
}

var confirmations = sync.Pool{New: func() any { return &confirmation{done: make(chan outcome, 1)} }}

// free makes the confirmation available to others. Its outcome was received.
func (c *confirmation) free() {
	c.id, c.key, c.returned = "", "", false
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
	c.id, c.key, c.size = p.MessageID, key, len(body)

	ch.pubMu.Lock()
	if isClosed(ch.closed) {
		ch.pubMu.Unlock()
		return nil, ch.err
	}
	ch.outstanding = append(ch.outstanding, c)
	// If it is the only one RabbitMQ has read all before, and there is room. An
	// error of a write ends the session, and so the outcome is that it is unknown.
	reserved := len(ch.outstanding) == 1 && len(b) <= maxSmall && ch.session.stream.reserve()
	if !reserved {
		ch.write(b)
	}
	ch.pubMu.Unlock()
	if reserved {
		ch.session.stream.writeReserved(b)
	}
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

// oldest returns the tag of the oldest message that is not confirmed, or 0.
func (ch *channel) oldest() uint64 {
	ch.pubMu.Lock()
	defer ch.pubMu.Unlock()
	if len(ch.outstanding) == 0 {
		return 0
	}
	return ch.firstTag
}
