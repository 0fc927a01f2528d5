//go:build darwin || freebsd || linux || netbsd || openbsd

package sqlite

import (
	"errors"
	"io/fs"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// inode identifies a file as long as it exists or is open.
type inode struct{ device, number uint64 }

func (i inode) same(other inode) bool { return i == other }

// inodeOf returns the file that a path leads to. It is called at each commit, and
// makes no garbage.
func inodeOf(path string) (inode, error) {
	var s unix.Stat_t
	for {
		err := unix.Stat(path, &s)
		if err != unix.EINTR {
			return inode{uint64(s.Dev), s.Ino}, err
		}
	}
}

// links returns how many names a file has.
func links(info fs.FileInfo) uint64 {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 1
	}
	return uint64(stat.Nlink)
}

// onReadOnlyDisk reports whether the file system of a file is mounted for reading
// only.
func onReadOnlyDisk(file string) bool {
	for _, path := range []string{file, filepath.Dir(file)} {
		if errors.Is(unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS), unix.EROFS) {
			return true
		}
	}
	return false
}
