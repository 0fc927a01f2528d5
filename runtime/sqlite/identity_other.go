//go:build !(darwin || freebsd || linux || netbsd || openbsd)

package sqlite

import (
	"io/fs"
	"os"
)

// inode identifies a file as long as it exists or is open.
type inode struct{ info fs.FileInfo }

func (i inode) same(other inode) bool { return os.SameFile(i.info, other.info) }

// inodeOf returns the file that a path leads to.
func inodeOf(path string) (inode, error) {
	info, err := os.Stat(path)
	return inode{info}, err
}

// links would return how many names a file has.
func links(fs.FileInfo) uint64 { return 1 }

// onReadOnlyDisk would report whether a file system is mounted for reading only.
func onReadOnlyDisk(string) bool { return false }
