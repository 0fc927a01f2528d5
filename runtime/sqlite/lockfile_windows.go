package sqlite

import (
	"os"

	"golang.org/x/sys/windows"
)

// errLocked means that another process holds the lock.
const errLocked = windows.ERROR_LOCK_VIOLATION

// lock takes the lock of an open file without waiting.
func lock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	return windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
}
