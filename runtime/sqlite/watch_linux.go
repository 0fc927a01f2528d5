package sqlite

import (
	"encoding/binary"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// walWatch notices when a process writes to the write-ahead log, by inotify(7),
// so that an idle writer need not look at the file hundreds of times a second.
// It notices one write each time it is armed.
type walWatch struct {
	log    string // path of the write-ahead log
	events *os.File
	armed  atomic.Int64  // the kernel's number for the watch, 0 if it is not armed
	done   chan struct{} // closed when nothing is noticed any more
}

// newWALWatch returns a watch for the database, which calls written at a write,
// or nil if the system has none to give.
func newWALWatch(database string, written func()) *walWatch {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil
	}
	w := &walWatch{log: database + "-wal", events: os.NewFile(uintptr(fd), "inotify"), done: make(chan struct{})}
	go w.listen(written)
	return w
}

func (w *walWatch) listen(written func()) {
	defer close(w.done)
	var buf [4096]byte
	for {
		n, err := w.events.Read(buf[:])
		if err != nil {
			return
		}
		// An event is wd, mask, cookie, the length of a name, and the name.
		for event := buf[:n]; len(event) >= unix.SizeofInotifyEvent; {
			if mask := binary.NativeEndian.Uint32(event[4:]); mask&unix.IN_MODIFY != 0 {
				w.armed.Store(0)
				written()
			}
			event = event[unix.SizeofInotifyEvent+binary.NativeEndian.Uint32(event[12:]):]
		}
	}
}

// arm makes the watch notice the next write. It reports whether it was not armed
// before, and whether it can be at all.
func (w *walWatch) arm() (news, ok bool) {
	if w == nil {
		return false, false
	}
	if w.armed.Load() != 0 {
		return false, true
	}
	ok = w.control(func(fd int) error {
		wd, err := unix.InotifyAddWatch(fd, w.log, unix.IN_MODIFY|unix.IN_ONESHOT)
		w.armed.Store(int64(wd))
		return err
	})
	if !ok {
		w.armed.Store(0)
	}
	return ok, ok
}

// disarm keeps the watch from noticing a write of this process.
func (w *walWatch) disarm() {
	if w == nil {
		return
	}
	if wd := w.armed.Swap(0); wd != 0 {
		w.control(func(fd int) error {
			_, err := unix.InotifyRmWatch(fd, uint32(wd))
			return err
		})
	}
}

// control reports whether f, on the descriptor, succeeds.
func (w *walWatch) control(f func(fd int) error) bool {
	conn, err := w.events.SyscallConn()
	if err != nil {
		return false
	}
	var failed error
	err = conn.Control(func(fd uintptr) { failed = f(int(fd)) })
	return err == nil && failed == nil
}

// close ends the watch.
func (w *walWatch) close() {
	if w != nil {
		w.events.Close()
		<-w.done
	}
}
