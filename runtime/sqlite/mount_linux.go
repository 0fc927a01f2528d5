package sqlite

import "golang.org/x/sys/unix"

// isMountPoint reports whether something is mounted at the path of a file.
func isMountPoint(file string) bool {
	var s unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, file, 0, 0, &s)
	return err == nil && s.Attributes_mask&s.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 // from Linux 5.8 on
}
