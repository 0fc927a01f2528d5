//go:build !unix

package brokers

import "syscall"

// unprivileged has nothing to do here.
func unprivileged(dir, data string) (*syscall.SysProcAttr, error) { return nil, nil }
