package wire

import "net"

// Writes are joined: a write only appends to a buffer, and a goroutine writes
// what has gathered while the write before was under way. That is Nagle's
// algorithm (RFC 896), without a delay when nothing is under way. The library
// makes one write for every message instead, and holds its locks meanwhile.
//
// The buffer has no bound of its own; who publishes bounds what is outstanding.

// Write implements net.Conn, for the library. It does not wait for the network;
// its error is that of an earlier write.
func (t *transport) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.writable(); err != nil {
		return 0, err
	}
	t.library.add(p, func(frame []byte) {
		start := len(t.pending)
		t.pending = append(t.pending, frame...)
		t.tuned(t.pending[start:])
	})
	t.wake.Signal()
	return len(p), nil
}

// send writes whole frames of ours, as Write does.
func (t *transport) send(frames []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.writable(); err != nil {
		return err
	}
	t.pending = append(t.pending, frames...)
	t.wake.Signal()
	return nil
}

// writable returns why nothing can be written any more. t.mu is held.
func (t *transport) writable() error {
	if t.err != nil {
		return t.err
	}
	if t.closing {
		return net.ErrClosed
	}
	return nil
}

// reserve lets the caller write whole frames itself, if nothing is pending:
// that saves two switches of goroutines. What others write meanwhile comes
// after it. After true the caller must call sendReserved; that may wait for the
// network, so it is for frames that RabbitMQ has room for.
func (t *transport) reserve() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending) > 0 || t.writing || t.writable() != nil || t.patient.Load() {
		return false
	}
	t.writing = true
	return true
}

// sendReserved writes after a successful reserve.
func (t *transport) sendReserved(frames []byte) {
	err := t.writeAll(frames)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writing = false
	if err != nil {
		t.err = err
	}
	t.wake.Signal()
}

// flush writes what is pending until the transport is closed or a write fails,
// and then closes the connection.
func (t *transport) flush() {
	defer close(t.flushed)
	defer t.Conn.Close()
	var buf []byte
	for {
		t.mu.Lock()
		for t.writing || len(t.pending) == 0 && !t.closing && t.err == nil {
			t.wake.Wait()
		}
		if len(t.pending) == 0 || t.err != nil {
			t.mu.Unlock()
			return
		}
		buf, t.pending = t.pending, buf[:0]
		t.writing = true
		t.mu.Unlock()

		err := t.writeAll(buf)
		t.mu.Lock()
		t.writing = false
		if err != nil {
			t.err, t.pending = err, nil
			t.mu.Unlock()
			return
		}
		t.mu.Unlock()
		if cap(buf) > 1<<20 {
			buf = nil // a burst; do not keep its memory
		}
	}
}

// writeChunk is how much one write may take writeTimeout for: a slow link is
// not a dead one.
const writeChunk = 64 << 10

func (t *transport) writeAll(buf []byte) error {
	for len(buf) > 0 {
		chunk := buf[:min(len(buf), writeChunk)]
		if !t.patient.Load() {
			t.begin(t.Conn.SetWriteDeadline, writeTimeout)
		}
		if _, err := t.Conn.Write(chunk); err != nil {
			return err
		}
		buf = buf[len(chunk):]
	}
	return nil
}
