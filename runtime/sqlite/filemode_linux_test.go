package sqlite

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// obeyFileModes makes the modes of files count for the calling goroutine even if
// the test is run by root, who may read and write everything by capabilities.
func obeyFileModes(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // for good: the thread ends with the goroutine
	thread := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var capabilities [2]unix.CapUserData
	if err := unix.Capget(&thread, &capabilities[0]); err != nil {
		t.Fatal(err)
	}
	capabilities[0].Effective &^= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
	if err := unix.Capset(&thread, &capabilities[0]); err != nil {
		t.Fatal(err)
	}
}
