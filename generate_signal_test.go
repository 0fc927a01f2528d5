//go:build unix

package generate_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// A signal ends dtaskgen wherever it is: here it waits for a go command that
// ignores signals and whose own child holds its output.
func TestSignals(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			bin, dir := t.TempDir(), t.TempDir()
			script := "#!/bin/sh\ntrap '' INT TERM\necho started >&3\nsleep 300\n"
			if err := os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o777); err != nil {
				t.Fatal(err)
			}
			started, child, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer started.Close()
			cmd := exec.Command(dtaskgen)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
			cmd.ExtraFiles = []*os.File{child}
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			child.Close()
			defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // sleep
			if _, err := bufio.NewReader(started).ReadString('\n'); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			state, err := cmd.Process.Wait()
			if err != nil || state.ExitCode() != 2 {
				t.Errorf("%v, %v", state, err)
			}
		})
	}
}
