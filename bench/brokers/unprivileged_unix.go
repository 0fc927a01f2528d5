//go:build unix

package brokers

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// unprivileged returns what makes a command run as another user if this process
// is root, as whom PostgreSQL refuses to run. It gives that user the directory
// data, and a way to it through dir.
func unprivileged(dir, data string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	if err := os.Chown(data, int(uid), int(gid)); err != nil {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, os.Chmod(dir, 0o711)
}
