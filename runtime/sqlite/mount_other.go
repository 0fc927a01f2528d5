//go:build !linux

package sqlite

// isMountPoint would report whether something is mounted at the path of a file.
func isMountPoint(string) bool { return false }
