//go:build unix

package worker

import (
	"errors"
	"os"
	"syscall"
)

// noFollow has the opening of a link fail, and that of a pipe not wait.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

func isLink(err error) bool { return errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK) }

// lockPidfile locks the file as long as the process lives.
func lockPidfile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errPidfileHeld
	}
	return err
}
