//go:build darwin || freebsd || linux || netbsd || openbsd

package sqlite

import "syscall"

// inGroup makes a process one of a group, or the first of a new one. killGroup kills
// the group of this process.
func inGroup(group int) *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true, Pgid: group} }

func killGroup() { syscall.Kill(0, syscall.SIGKILL) }
