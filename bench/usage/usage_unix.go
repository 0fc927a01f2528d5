//go:build unix

// Package usage reports the processor time and memory that processes use.
package usage

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

// CPU returns the processor time of this process so far.
func CPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Peak returns the peak of the resident memory of an ended process, or of the
// largest of its children if that is more, in bytes.
func Peak(p *os.ProcessState) int64 {
	peak := int64(p.SysUsage().(*syscall.Rusage).Maxrss)
	if runtime.GOOS == "darwin" {
		return peak // in bytes there, else in KiB: getrusage(2)
	}
	return peak << 10
}
