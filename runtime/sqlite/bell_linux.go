package sqlite

import (
	"encoding/binary"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// bell rings when a process writes to the write-ahead log (inotify(7)), so that
// an idle writer need not look at the file hundreds of times a second. It rings
// once each time it is armed.
type bell struct {
	log    string // path of the write-ahead log
	events *os.File
	armed  atomic.Int64  // the kernel's number for it, 0 if it is not armed
	done   chan struct{} // closed when nothing rings any more
}

// newBell returns a bell for the database, which calls ring, or nil if the
// system has none to give.
func newBell(database string, ring func()) *bell {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil
	}
	b := &bell{log: database + "-wal", events: os.NewFile(uintptr(fd), "inotify"), done: make(chan struct{})}
	go b.listen(ring)
	return b
}

func (b *bell) listen(ring func()) {
	defer close(b.done)
	var buf [4096]byte
	for {
		n, err := b.events.Read(buf[:])
		if err != nil {
			return
		}
		// An event is wd, mask, cookie, the length of a name, and the name.
		for event := buf[:n]; len(event) >= unix.SizeofInotifyEvent; {
			if mask := binary.NativeEndian.Uint32(event[4:]); mask&unix.IN_MODIFY != 0 {
				b.armed.Store(0)
				ring()
			}
			event = event[unix.SizeofInotifyEvent+binary.NativeEndian.Uint32(event[12:]):]
		}
	}
}

// arm makes the bell ring at the next write. It reports whether it was silent
// before, and whether it can ring at all.
func (b *bell) arm() (news, ok bool) {
	if b == nil {
		return false, false
	}
	if b.armed.Load() != 0 {
		return false, true
	}
	ok = b.control(func(fd int) error {
		wd, err := unix.InotifyAddWatch(fd, b.log, unix.IN_MODIFY|unix.IN_ONESHOT)
		b.armed.Store(int64(wd))
		return err
	})
	if !ok {
		b.armed.Store(0)
	}
	return ok, ok
}

// disarm keeps the bell from ringing at a write of this process.
func (b *bell) disarm() {
	if b == nil {
		return
	}
	if wd := b.armed.Swap(0); wd != 0 {
		b.control(func(fd int) error {
			_, err := unix.InotifyRmWatch(fd, uint32(wd))
			return err
		})
	}
}

// control reports whether f, on the descriptor, succeeds.
func (b *bell) control(f func(fd int) error) bool {
	conn, err := b.events.SyscallConn()
	if err != nil {
		return false
	}
	var failed error
	err = conn.Control(func(fd uintptr) { failed = f(int(fd)) })
	return err == nil && failed == nil
}

// close makes the bell silent.
func (b *bell) close() {
	if b != nil {
		b.events.Close()
		<-b.done
	}
}
