//go:build darwin || freebsd || linux || netbsd || openbsd

package sqlite

import (
	"bufio"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A holder is such a process.
type holder struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	stdin interface{ Close() error }
}

func newHolder(t *testing.T, file string) *holder {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h := &holder{cmd: exec.Command(self)}
	h.cmd.Env = append(os.Environ(), holdEnv+"="+file)
	h.cmd.Stderr = os.Stderr
	stdout, err := h.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if h.stdin, err = h.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.cmd.Process.Kill(); h.cmd.Wait() })
	h.lines = bufio.NewScanner(stdout)
	if !h.lines.Scan() {
		t.Fatal("the process took no task")
	}
	return h
}

// The tasks of processes that are suspended are taken over, those of one that only
// takes long are not, and what the suspended ones say later has no effect.
func TestSuspended(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	b := openBroker(t, file)
	mustEnqueue(t, b, newMessages("held", 3)...)
	two := []*holder{newHolder(t, file), newHolder(t, file)}
	working := newHolder(t, file)
	for _, h := range two {
		if err := h.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	c := mustConsume(t, b, "held", 3)
	taken := []broker.Delivery{receive(t, c), receive(t, c)}
	for _, d := range taken {
		if m := d.Message(); m.Attempt != 2 {
			t.Errorf("attempt %d, want 2: the one that was suspended counts", m.Attempt)
		}
	}
	for _, h := range two {
		h.stdin.Close() // it settles as dead, when it goes on
		if err := h.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		h.cmd.Wait()
	}
	if s := queueState(t, b, "held"); s.Running != 3 || s.Dead != 0 {
		t.Errorf("state %+v, want 3 running: the late outcomes have no effect, and one process still works", s)
	}
	for _, d := range taken {
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	working.stdin.Close()
	working.cmd.Wait()
	flush(t, b)
	if s := queueState(t, b, "held"); s.Running != 0 || s.Dead != 1 || s.Ready != 0 {
		t.Errorf("state %+v, want the outcome of the process that worked, and nothing else", s)
	}
}
