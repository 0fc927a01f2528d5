//go:build unix

package postgresnode

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// unprivileged returns what makes a command run as another user if this process is
// root, as whom PostgreSQL refuses to run.
func unprivileged() (*syscall.SysProcAttr, error) {
	uid, gid, err := other()
	if err != nil || uid == 0 {
		return nil, err
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// giveAway gives that user the directory data, and a way to it through dir.
func giveAway(dir, data string) error {
	uid, gid, err := other()
	if err != nil || uid == 0 {
		return err
	}
	if err := os.Chown(data, uid, gid); err != nil {
		return err
	}
	return os.Chmod(dir, 0o711)
}

// other returns the user to run as, zero for the user of this process.
func other() (uid, gid int, err error) {
	if os.Getuid() != 0 {
		return 0, 0, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return 0, 0, err
		}
	}
	if uid, err = strconv.Atoi(u.Uid); err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(u.Gid)
	return uid, gid, err
}
