//go:build unix

package chaos

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A process is a process of a trial.
type process struct {
	t     testing.TB
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	ready chan struct{} // closed once it has its broker
	gone  chan struct{} // closed when it has ended; then the rest is valid

	err           error
	before, after int // goroutines, if it ended in good order
}

// start starts this test binary again as a process with a role.
func start(t testing.TB, r role) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, name: r.Name, cmd: exec.Command(self), ready: make(chan struct{}), gone: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), roleEnv+"="+string(text))
	log, err := os.Create(filepath.Join(r.Dir, r.Name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.cmd.Stderr = log
	stdin, err := p.cmd.StdinPipe() // its end is the end of this process
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.watch(stdout)
	t.Cleanup(p.kill)
	return p
}

// watch reads what the process prints until it ends.
func (p *process) watch(stdout io.Reader) {
	ready := false
	for s := bufio.NewScanner(stdout); s.Scan(); {
		if s.Text() == "ready" && !ready {
			ready = true
			close(p.ready)
		}
		fmt.Sscanf(s.Text(), "goroutines %d %d", &p.before, &p.after)
	}
	p.err = p.cmd.Wait()
	p.stdin.Close()
	close(p.gone)
}

// awaitReady waits until the process has its broker.
func (p *process) awaitReady() {
	p.t.Helper()
	select {
	case <-p.ready:
		return
	case <-p.gone:
	case <-time.After(patience):
		p.t.Fatalf("%s does not get ready", p.name)
	}
	select {
	case <-p.ready: // and has ended since
	default:
		p.t.Fatalf("%s ended before it was ready: %v", p.name, p.err)
	}
}

// signal sends it a signal.
func (p *process) signal(s syscall.Signal) { p.cmd.Process.Signal(s) }

// kill kills it with SIGKILL, and waits until it is gone.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	<-p.gone
}

// stop ends it with SIGTERM and waits until it has ended in good order.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	p.await()
}

// await waits until it has ended in good order.
func (p *process) await() {
	p.t.Helper()
	select {
	case <-p.gone:
	case <-time.After(patience):
		p.signal(syscall.SIGQUIT) // prints the stacks
		<-p.gone
	}
	if p.err != nil {
		p.t.Errorf("%s: %v", p.name, p.err)
	}
}
