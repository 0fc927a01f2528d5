package worker

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// writePidfile writes the id of this process to a file, unless it names another
// process that runs. The returned function removes the file.
func writePidfile(path string) (remove func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("pid file: %w", err)
	}
	if pid, err := strconv.Atoi(string(bytes.TrimSpace(old))); err == nil && pid != os.Getpid() && running(pid) {
		return nil, fmt.Errorf("pid file %s: process %d is running; stop it first, or give this one another file", path, pid)
	}
	own := []byte(strconv.Itoa(os.Getpid()) + "\n")
	if err := os.WriteFile(path, own, 0o644); err != nil {
		return nil, fmt.Errorf("pid file: %w", err)
	}
	return func() {
		if now, err := os.ReadFile(path); err == nil && bytes.Equal(now, own) {
			os.Remove(path)
		}
	}, nil
}

// running reports whether there is a process with the id. Where signal 0 does
// not exist (Windows) the answer is no.
func running(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, syscall.EPERM)
}
