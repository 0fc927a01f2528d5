package main

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReadOnlyDirectory(t *testing.T) {
	if os.Getuid() == 0 && os.Getenv(envBound) == "" {
		runBound(t)
		return
	}
	dir := module(t, map[string]string{"m.go": task})
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o777)
	code, _, stderr := dtaskgen(t)
	if code != 2 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "permission denied") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// envBound is set in the processes that runBound starts.
const envBound = "DTASK_TEST_BOUND"

// runBound runs the calling test in a process of its own without
// CAP_DAC_OVERRIDE, so that permissions bind root as they bind any user.
func runBound(t *testing.T) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), envBound+"=1")
	done := make(chan struct{})
	var output []byte
	var err error
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock: the thread, which lacks the capability, ends
		// This may be refused where root does not have the capability.
		unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_DAC_OVERRIDE, 0, 0, 0)
		output, err = cmd.CombinedOutput()
	}()
	<-done
	if err != nil || !strings.Contains(string(output), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, output)
	}
}
