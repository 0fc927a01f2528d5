//go:build !(darwin || freebsd || linux || netbsd || openbsd || windows)

package sqlite

import (
	"errors"
	"os"
)

// errLocked means that another process holds the lock.
var errLocked = errors.New("locked")

// lock fails: on this system the lease alone says who lives.
func lock(*os.File) error { return errors.ErrUnsupported }
