package worker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
)

// writePidfile writes the id of this process to a file, and holds a lock on it, so
// that of two processes that start at once only one gets it. A file that a dead
// process has left is written over; one that is no pid file is not, nor is a link
// followed. The returned function removes the file.
func writePidfile(path string) (remove func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	f, err := openPidfile(path)
	if err != nil {
		return nil, fmt.Errorf("pid file %s: %w", path, err)
	}
	if err := claimPidfile(f, path); err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		if isAt(f, path) {
			os.Remove(path)
		}
		f.Close()
	}, nil
}

// openPidfile opens the file, or makes it, and locks it.
func openPidfile(path string) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|noFollow, 0o644)
		switch {
		case isLink(err):
			return nil, errors.New("it is a symbolic link; give the path of a file")
		case err != nil:
			return nil, errors.Unwrap(err) // without the path
		}
		info, err := f.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = errors.New("it is no file")
		}
		if err == nil {
			err = lockPidfile(f)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
		if isAt(f, path) {
			return f, nil
		}
		f.Close() // its owner has removed it in between
	}
}

// claimPidfile writes the id of this process into the locked file, unless the file
// names another process that runs.
func claimPidfile(f *os.File, path string) error {
	const most = 32 // bytes of a pid file
	old, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	text := string(bytes.TrimSpace(old))
	pid, err := strconv.Atoi(text)
	switch {
	case err != nil && text != "":
		return fmt.Errorf("pid file %s: the file holds something else than a process id; give another path, or remove it", path)
	case err == nil && pid != os.Getpid() && running(pid):
		return fmt.Errorf("pid file %s: process %d is running; stop it first, or give this one another file", path, pid)
	}
	own := []byte(strconv.Itoa(os.Getpid()) + "\n")
	if _, err := f.WriteAt(own, 0); err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	if err := f.Truncate(int64(len(own))); err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	return nil
}

// isAt reports whether f is the file that has the path now.
func isAt(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Lstat(path)
	return err == nil && os.SameFile(mine, now)
}

// errPidfileHeld is the error of a lock that another process holds.
var errPidfileHeld = errors.New("another process that is running holds it; stop it first, or give this one another file")

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
