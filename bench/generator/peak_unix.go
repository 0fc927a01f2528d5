//go:build unix

package generator

import (
	"os"
	"runtime"
	"syscall"
)

// peakMemory returns the peak of the resident memory of an ended process, or
// of the largest of its children if that is more, in bytes.
func peakMemory(p *os.ProcessState) int64 {
	peak := int64(p.SysUsage().(*syscall.Rusage).Maxrss)
	if runtime.GOOS == "darwin" {
		return peak // in bytes there, else in KiB: getrusage(2)
	}
	return peak << 10
}
