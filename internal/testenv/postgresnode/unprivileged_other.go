//go:build !unix

package postgresnode

import "syscall"

func unprivileged() (*syscall.SysProcAttr, error) { return nil, nil }

func giveAway(_, _ string) error { return nil }
