package wire

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A Channel is an AMQP channel on which messages travel: they are published and
// confirmed on it, or delivered and acknowledged. It is over when it is closed,
// by us or by RabbitMQ, or with its connection.
type Channel struct {
	conn *Conn
	id   uint16

	calling sync.Mutex    // one call at a time waits for its answer
	awaited atomic.Uint32 // the method that answers it, or 0
	answers chan string   // the arguments of that

	writing sync.Mutex
	last    bool // the frame that ends the channel was written: no other may be

	crossed bool // we were closing the channel when RabbitMQ closed it; for receive

	confirms  confirms
	consuming sync.Mutex // held by Consume
	inbox     inbox
	assembly  assembly

	once sync.Once
	done chan struct{}
	err  error // valid once done is closed
}

func newChannel(c *Conn) *Channel {
	ch := &Channel{conn: c, answers: make(chan string, 1), done: make(chan struct{})}
	ch.confirms.first = 1 // RabbitMQ counts from 1 in every channel
	ch.inbox.arrived = make(chan struct{}, 1)
	ch.assembly.maxBody = uint64(c.maxBody)
	ch.assembly.consumers = make(map[string]string)
	return ch
}

// Channel opens a channel on which to consume.
func (c *Conn) Channel(ctx context.Context) (*Channel, error) {
	return newChannel(c).open(ctx, func(ch *Channel) error {
		_, err := ch.call(channelOpen, channelOpenOK, []byte{0})
		return err
	})
}

// Publisher opens a channel on which to publish, and to consume as well. If
// resolved is not nil it is called for every message whose outcome is known,
// with the size of its body; it must not wait.
func (c *Conn) Publisher(ctx context.Context, resolved func(size int)) (*Channel, error) {
	ch := newChannel(c)
	ch.confirms.resolved = resolved
	return ch.open(ctx, func(ch *Channel) error {
		if _, err := ch.call(channelOpen, channelOpenOK, []byte{0}); err != nil {
			return err
		}
		_, err := ch.call(confirmSelect, confirmSelectOK, []byte{0})
		return err
	})
}

// open gives the channel a number and makes the calls that open it. If ctx ends
// first the channel is closed in the background.
func (ch *Channel) open(ctx context.Context, calls func(*Channel) error) (*Channel, error) {
	if err := ch.conn.transport.numbers.add(ch); err != nil {
		return nil, err
	}
	opened := make(chan error, 1)
	go func() { opened <- calls(ch) }()
	var err error
	select {
	case err = <-opened:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		go ch.Close()
		return nil, err
	}
	return ch, nil
}

// Done returns a channel that is closed when the channel is over.
func (ch *Channel) Done() <-chan struct{} { return ch.done }

// Err returns why the channel is over, or nil while it is not.
func (ch *Channel) Err() error {
	select {
	case <-ch.done:
		return ch.err
	default:
		return nil
	}
}

// Close closes the channel, and waits until RabbitMQ knows.
func (ch *Channel) Close() error {
	const success = 200
	arguments := append(appendShort([]byte{0, success}, ""), 0, 0, 0, 0)
	ch.calling.Lock()
	defer ch.calling.Unlock()
	_, err := ch.exchange(ch.writeLast, channelClose, channelCloseOK, arguments)
	ch.end(ErrClosed)
	if err == errCrossed {
		return nil // RabbitMQ knows
	}
	return err
}

// end ends the channel for the given reason. What is not confirmed is lost.
func (ch *Channel) end(err error) {
	ch.once.Do(func() {
		ch.finish(err)
		ch.conn.transport.numbers.remove(ch) // another one may have the number now
	})
}

// errCrossed is why a channel is over that both sides closed at the same time.
var errCrossed = fmt.Errorf("%w by both sides", ErrClosed)

// endCrossed ends the channel when RabbitMQ closes it while we do. Its answer to
// us is not waited for, as RabbitMQ may lose it: the process of the channel ends
// when it hears ours, and its writer with it, whatever that has yet to write. The
// number is free when the answer comes, or when it would have come long ago.
func (ch *Channel) endCrossed() {
	ch.crossed = true
	ch.once.Do(func() {
		ch.finish(errCrossed)
		time.AfterFunc(answerTimeout, func() { ch.conn.transport.numbers.remove(ch) })
	})
}

func (ch *Channel) finish(err error) {
	ch.err = err
	close(ch.done)
	ch.writing.Lock()
	ch.last = true
	ch.writing.Unlock()
	ch.confirms.end()
}

// call sends a method and waits for its answer, or for the end of the channel.
func (ch *Channel) call(m, want method, arguments []byte) (string, error) {
	ch.calling.Lock()
	defer ch.calling.Unlock()
	return ch.exchange(ch.write, m, want, arguments)
}

// exchange is call with ch.calling held.
func (ch *Channel) exchange(write func([]byte) error, m, want method, arguments []byte) (string, error) {
	ch.awaited.Store(uint32(want))
	if err := write(appendMethod(nil, ch.id, m, arguments)); err != nil {
		return "", err
	}
	answered := ch.conn.expectAnswer(nil)
	defer answered()
	select {
	case answer := <-ch.answers:
		return answer, nil
	case <-ch.done:
		return "", ch.err
	}
}
