package wire

import "time"

const (
	writeTimeout = 10 * time.Second

	// closeTimeout bounds how long a close tries to send what is left.
	closeTimeout = time.Second
)

// The library has no deadline for writes. For reads it has one only from the
// second frame after the handshake on; a link that goes silent before leaves it
// waiting for ever. Here every read and every write has a deadline of its own,
// counted from its beginning, unless one deadline is set for all.

// begin sets the deadline of an operation that begins now. If one for all is
// set meanwhile, that one holds: it must not be overwritten by an older one.
func (t *transport) begin(set func(time.Time) error, timeout time.Duration) {
	for {
		fixed := t.fixed.Load()
		switch {
		case fixed != 0:
			set(time.Unix(0, fixed))
		case timeout == 0:
			set(time.Time{})
		default:
			set(time.Now().Add(timeout))
		}
		if t.fixed.Load() == fixed {
			return
		}
	}
}

// A deadlineReader reads from the network, each time with a deadline.
type deadlineReader struct{ t *transport }

func (r deadlineReader) Read(p []byte) (int, error) {
	r.t.reads.Add(1)
	r.t.begin(r.t.Conn.SetReadDeadline, r.t.readTimeout)
	n, err := r.t.Conn.Read(p)
	if n > 0 && r.t.first.Load() == nil {
		first := string(p[:min(n, headSize)])
		r.t.first.Store(&first)
	}
	if err != nil {
		r.t.failure.CompareAndSwap(nil, &err)
	}
	return n, err
}

// bePatient suspends the deadline of writes, or restores it.
func (t *transport) bePatient(on bool) {
	t.patient.Store(on)
	timeout := writeTimeout
	if on {
		timeout = 0 // none
	}
	t.begin(t.Conn.SetWriteDeadline, timeout)
}

// SetDeadline implements net.Conn: deadline holds for all operations until it
// is set again. The zero time restores the deadline of each operation; the
// library sets it after the handshake.
func (t *transport) SetDeadline(deadline time.Time) error {
	if deadline.IsZero() {
		t.fixed.Store(0)
		deadline = time.Now().Add(t.readTimeout)
	} else {
		t.fixed.Store(deadline.UnixNano())
	}
	return t.Conn.SetDeadline(deadline)
}

// SetReadDeadline implements net.Conn. It does nothing: the library calls it
// with every frame, and each read sets its own.
func (t *transport) SetReadDeadline(time.Time) error { return nil }

// Close implements net.Conn. It sends what is pending if that can be done
// soon.
func (t *transport) Close() error {
	t.mu.Lock()
	t.closing = true
	t.wake.Signal()
	t.mu.Unlock()
	soon := time.Now().Add(closeTimeout)
	t.fixed.Store(soon.UnixNano())
	t.patient.Store(false)
	t.Conn.SetDeadline(soon)
	<-t.flushed
	return nil
}
