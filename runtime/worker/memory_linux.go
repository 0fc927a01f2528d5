package worker

import (
	"bytes"
	"os"
	"strconv"
)

// memory returns the resident memory of the process in bytes, or 0 if it
// cannot be read.
func memory() int64 {
	b, err := os.ReadFile("/proc/self/statm") // proc_pid_statm(5)
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
