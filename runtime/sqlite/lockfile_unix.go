//go:build darwin || freebsd || linux || netbsd || openbsd

package sqlite

import (
	"os"

	"golang.org/x/sys/unix"
)

// errLocked means that another process holds the lock.
const errLocked = unix.EWOULDBLOCK

// lock takes the lock of an open file without waiting. flock(2) belongs to the
// open file: unlike a lock of fcntl(2), it does not go when another descriptor
// of the same file is closed.
func lock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err != unix.EINTR {
			return err
		}
	}
}
