package wire

import (
	"bufio"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A transport is the net.Conn that the client library reads and writes. It
// lies between the library and the network and does four things that the
// library does not do:
//
//   - it gives every read and every write a deadline (deadline.go),
//   - it joins writes (write.go),
//   - it keeps the frames of the library whole (whole.go),
//   - it takes the frames of our channels out of what the library reads
//     (numbers.go says which channels these are).
type transport struct {
	net.Conn

	// Reading. Only the goroutine that calls Read uses these.
	reader *bufio.Reader // holds the largest frame
	unread int64         // bytes of the present frame, which is the library's

	numbers numbers
	answers atomic.Int64           // frames for channels of the library
	first   atomic.Pointer[string] // the first bytes that were read
	failure atomic.Pointer[error]  // the first error of a read

	// Deadlines.
	readTimeout time.Duration
	reads       atomic.Int64 // how many have begun
	fixed       atomic.Int64 // the deadline of all operations, in Unix nanoseconds, or 0; see begin
	patient     atomic.Bool  // RabbitMQ has announced that it does not read

	// Writing.
	mu      sync.Mutex
	wake    sync.Cond
	library whole // what the library has written of a frame
	pending []byte
	writing bool  // somebody is
	err     error // of a write; it stays
	closing bool
	flushed chan struct{} // closed when the writing goroutine has ended
}

// newTransport returns a transport over c that gives up after a silence of
// readTimeout.
func newTransport(c net.Conn, readTimeout time.Duration) *transport {
	t := &transport{Conn: c, readTimeout: readTimeout, flushed: make(chan struct{})}
	t.wake.L = &t.mu
	t.numbers.init()
	t.reader = bufio.NewReaderSize(deadlineReader{t}, frameSize)
	go t.flush()
	return t
}

// Read implements net.Conn, for the library: it returns the frames that are
// the library's, and passes the others to their channels on the way.
func (t *transport) Read(p []byte) (int, error) {
	for t.unread == 0 {
		head, err := t.reader.Peek(headSize)
		if err != nil {
			return 0, err
		}
		typ, id, size := parseHead(head)
		if !t.numbers.ours(id) {
			if err := t.tune(typ, size); err != nil {
				return 0, err
			}
			if id > 0 {
				t.answers.Add(1)
			}
			t.unread = int64(size) + overhead
			break
		}
		if err := t.receive(typ, id, size); err != nil {
			t.failure.CompareAndSwap(nil, &err)
			return 0, err
		}
	}
	n, err := t.reader.Read(p[:min(int64(len(p)), t.unread)])
	t.unread -= int64(n)
	return n, err
}

// receive passes a frame to its channel.
func (t *transport) receive(typ byte, id uint16, size uint32) error {
	if size > frameSize-overhead {
		return fmt.Errorf("RabbitMQ sends a frame of %d bytes; the limit is %d", size, frameSize)
	}
	frame, err := t.reader.Peek(int(size) + overhead)
	if err != nil {
		return err
	}
	if !complete(frame) {
		return errFrame
	}
	ch, err := t.numbers.channel(id)
	if err != nil {
		return err
	}
	if ch != nil {
		if err := ch.receive(typ, frame[headSize:len(frame)-1]); err != nil {
			return err
		}
	}
	_, err = t.reader.Discard(len(frame))
	return err
}

// readError returns the error of the first read that failed, or nil. The
// library keeps only the text of such an error, or not even that.
func (t *transport) readError() error {
	if err := t.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// firstRead returns the first bytes that were read, if any.
func (t *transport) firstRead() string {
	if first := t.first.Load(); first != nil {
		return *first
	}
	return ""
}
