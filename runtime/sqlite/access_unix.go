//go:build darwin || freebsd || linux || netbsd || openbsd

package sqlite

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// owner returns the user and the group that a file belongs to.
func owner(info fs.FileInfo) (uid, gid int, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(stat.Uid), int(stat.Gid), true
}

// mayWrite reports whether this process may write a file or a directory, without
// opening it.
func mayWrite(path string) bool {
	return unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS) == nil
}
