package rabbitmq

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/frame"
)

const (
	// readBuffer holds the largest frame.
	readBuffer = frameSize

	// writeChunk is how much one write may take writeTimeout for: a slow link
	// is not a dead one.
	writeChunk   = 64 << 10
	writeTimeout = 10 * time.Second

	// maxChannels is how many channels a connection has at most, RabbitMQ's own
	// default.
	maxChannels = 2047

	// closeTimeout bounds how long Close tries to send what is left.
	closeTimeout = time.Second
)

// A stream is the net.Conn beneath an AMQP connection. It does three things that
// the client library does not.
//
// It notices stalls. The library has no deadline for writes, and for reads
// only from the second frame after the handshake on; a link that goes silent
// leaves it waiting for ever. Here every read and write has a deadline.
//
// It joins writes. The library makes one write for every message, under its
// locks. Here Write only appends to a buffer, and a goroutine writes what has
// gathered while the previous write was under way, as Nagle's algorithm
// (RFC 896) does, without a delay when there was none.
//
// The buffer has no bound of its own: the publisher bounds what is outstanding.
//
// It passes the frames of some channels to these (see [channel]), past the
// library, which sees the others only.
type stream struct {
	net.Conn
	reader      *bufio.Reader
	readTimeout time.Duration
	unread      int64 // bytes of the present frame, which is the library's

	// channels are those that are not the library's, by their numbers. The map
	// is replaced, not changed. The library has the numbers up to
	// libraryChannels, and we have those above, up to allChannels: see tune.
	channels                     atomic.Pointer[map[uint16]*channel]
	channelsMu                   sync.Mutex
	libraryChannels, allChannels atomic.Uint32

	// fixed, if not 0, is the deadline (Unix nanoseconds) that replaces the
	// one for each operation: for the handshakes of opening and closing.
	fixed atomic.Int64

	// patient is set while the server has announced that it does not read.
	patient atomic.Bool

	mu       sync.Mutex
	wake     sync.Cond
	pending  []byte
	writing  bool  // somebody is
	err      error // of a write; sticky
	closing  bool
	answered bool // the number of channels is agreed on

	flushed chan struct{} // closed when the writing goroutine has ended

	failure atomic.Pointer[error] // the first of a read
}

// newStream returns a stream over c that gives up after a silence of
// readTimeout.
func newStream(c net.Conn, readTimeout time.Duration) *stream {
	s := &stream{Conn: c, readTimeout: readTimeout, flushed: make(chan struct{})}
	s.wake.L = &s.mu
	s.channels.Store(&map[uint16]*channel{})
	s.reader = bufio.NewReaderSize(deadlineReader{s}, readBuffer)
	go s.flush()
	return s
}

// Read implements net.Conn, for the library: it returns the frames that are not
// of channels of ours, and takes these on the way.
func (s *stream) Read(p []byte) (int, error) {
	for s.unread == 0 {
		head, err := s.reader.Peek(frame.HeadSize)
		if err != nil {
			return 0, err
		}
		typ, id, size := frame.ParseHead(head)
		ch := (*s.channels.Load())[id]
		if ch == nil {
			if s.allChannels.Load() == 0 {
				s.tune(typ, size)
			}
			s.unread = int64(size) + frame.Overhead
			break
		}
		if err := s.receive(ch, typ, size); err != nil {
			s.failure.CompareAndSwap(nil, &err)
			return 0, err
		}
	}
	n, err := s.reader.Read(p[:min(int64(len(p)), s.unread)])
	s.unread -= int64(n)
	return n, err
}

// tune divides the numbers of channels between the library and us, if the frame
// that comes next is the one in which RabbitMQ says how many there are. The
// library uses all that it knows of, one after the other, so it is told of half
// of them; RabbitMQ is answered the whole (tuned).
func (s *stream) tune(typ byte, size uint32) {
	if typ != frame.TypeMethod || size < 6 {
		return
	}
	start, err := s.reader.Peek(frame.HeadSize + 6)
	if err != nil {
		return
	}
	m, arguments := frame.SplitMethod(start[frame.HeadSize:])
	if m != frame.ConnectionTune {
		return
	}
	all := binary.BigEndian.Uint16(arguments)
	if all == 0 || all > maxChannels { // 0: as many as there are
		all = maxChannels
	}
	library := (all + 1) / 2
	binary.BigEndian.PutUint16(arguments, library)
	s.libraryChannels.Store(uint32(library))
	s.allChannels.Store(uint32(all))
}

// tuned is the reverse of tune, for what the library writes.
func (s *stream) tuned(p []byte) {
	if len(p) < frame.HeadSize+6 || p[0] != frame.TypeMethod {
		return
	}
	if m, arguments := frame.SplitMethod(p[frame.HeadSize:]); m == frame.ConnectionTuneOK {
		binary.BigEndian.PutUint16(arguments, uint16(s.allChannels.Load()))
		s.answered = true
	}
}

// receive passes a frame to its channel.
func (s *stream) receive(ch *channel, typ byte, size uint32) error {
	if size > readBuffer-frame.Overhead {
		return fmt.Errorf("a frame of %d bytes, the limit is %d", size, readBuffer)
	}
	whole, err := s.reader.Peek(int(size) + frame.Overhead)
	if err != nil {
		return err
	}
	if !frame.Complete(whole) {
		return errFrame
	}
	if err := ch.receive(typ, whole[frame.HeadSize:len(whole)-1]); err != nil {
		return err
	}
	_, err = s.reader.Discard(len(whole))
	return err
}

// add adds a channel of ours, under the highest number that is free.
func (s *stream) add(ch *channel) error {
	s.channelsMu.Lock()
	defer s.channelsMu.Unlock()
	old := *s.channels.Load()
	all, library := s.allChannels.Load(), s.libraryChannels.Load()
	id := all
	for id > library && old[uint16(id)] != nil {
		id--
	}
	if id <= library {
		return fmt.Errorf("%d channels of the connection are in use; raise the channel_max of RabbitMQ, now %d", all-library, all)
	}
	ch.id = uint16(id)
	channels := maps.Clone(old)
	channels[ch.id] = ch
	s.channels.Store(&channels)
	return nil
}

// remove removes a channel of ours, of which no more frames come.
func (s *stream) remove(ch *channel) {
	s.channelsMu.Lock()
	defer s.channelsMu.Unlock()
	channels := maps.Clone(*s.channels.Load())
	if channels[ch.id] == ch {
		delete(channels, ch.id)
		s.channels.Store(&channels)
	}
}

type deadlineReader struct{ s *stream }

func (r deadlineReader) Read(p []byte) (int, error) {
	r.s.Conn.SetReadDeadline(r.s.deadline(r.s.readTimeout))
	n, err := r.s.Conn.Read(p)
	if err != nil {
		r.s.failure.CompareAndSwap(nil, &err)
	}
	return n, err
}

// readError returns the error of the first read that failed, or nil: the
// library keeps no more than its text, if that.
func (s *stream) readError() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// Write implements net.Conn. It does not wait for the network; its error is
// that of an earlier write.
func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	if s.closing {
		return 0, net.ErrClosed
	}
	s.pending = append(s.pending, p...)
	if !s.answered && s.allChannels.Load() > 0 {
		s.tuned(s.pending[len(s.pending)-len(p):])
	}
	s.wake.Signal()
	return len(p), nil
}

// reserve lets the caller write a little by itself, if nothing is pending: two
// switches of goroutines less. What others write meanwhile comes after it. The
// caller must call writeReserved; that may wait for the network, so this is for
// when nothing else can be under way.
func (s *stream) reserve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) > 0 || s.writing || s.err != nil || s.closing || s.patient.Load() {
		return false
	}
	s.writing = true
	return true
}

// writeReserved writes after a successful reserve.
func (s *stream) writeReserved(p []byte) {
	err := s.writeAll(p)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = false
	if err != nil {
		s.err = err
	}
	s.wake.Signal()
}

// flush writes what is pending until the stream is closed or fails, and then
// closes the connection.
func (s *stream) flush() {
	defer close(s.flushed)
	defer s.Conn.Close()
	var buf []byte
	for {
		s.mu.Lock()
		for s.writing || len(s.pending) == 0 && !s.closing && s.err == nil {
			s.wake.Wait()
		}
		if len(s.pending) == 0 || s.err != nil {
			s.mu.Unlock()
			return
		}
		buf, s.pending = s.pending, buf[:0]
		s.writing = true
		s.mu.Unlock()

		err := s.writeAll(buf)
		s.mu.Lock()
		s.writing = false
		if err != nil {
			s.err, s.pending = err, nil
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if cap(buf) > 1<<20 {
			buf = nil // a burst; do not keep its memory
		}
	}
}

func (s *stream) writeAll(buf []byte) error {
	for len(buf) > 0 {
		chunk := buf[:min(len(buf), writeChunk)]
		if !s.patient.Load() {
			s.Conn.SetWriteDeadline(s.deadline(writeTimeout))
		}
		if _, err := s.Conn.Write(chunk); err != nil {
			return err
		}
		buf = buf[len(chunk):]
	}
	return nil
}

// deadline returns the deadline of an operation that starts now.
func (s *stream) deadline(timeout time.Duration) time.Time {
	if t := s.fixed.Load(); t != 0 {
		return time.Unix(0, t)
	}
	return time.Now().Add(timeout)
}

// bePatient suspends the deadline of writes, or restores it.
func (s *stream) bePatient(on bool) {
	s.patient.Store(on)
	if on {
		s.Conn.SetWriteDeadline(time.Time{})
	} else {
		s.Conn.SetWriteDeadline(s.deadline(writeTimeout))
	}
}

// SetDeadline implements net.Conn: t holds until it is set again; the zero
// time restores the deadline of each operation.
func (s *stream) SetDeadline(t time.Time) error {
	if t.IsZero() {
		s.fixed.Store(0)
		t = time.Now().Add(s.readTimeout)
	} else {
		s.fixed.Store(t.UnixNano())
	}
	return s.Conn.SetDeadline(t)
}

// SetReadDeadline implements net.Conn. It does nothing: the library calls it
// with every frame, and Read sets its own.
func (s *stream) SetReadDeadline(time.Time) error { return nil }

// Close implements net.Conn. It sends what is pending if that can be done
// soon.
func (s *stream) Close() error {
	s.mu.Lock()
	s.closing = true
	s.wake.Signal()
	s.mu.Unlock()
	soon := time.Now().Add(closeTimeout)
	s.fixed.Store(soon.UnixNano())
	s.patient.Store(false)
	s.Conn.SetDeadline(soon)
	<-s.flushed
	return nil
}
