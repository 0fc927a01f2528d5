//go:build unix

package worker

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// childEnv marks the children of a supervisor, and holds the number of the
// place. Their file descriptor 3 is a socket to the supervisor: they write
// words as lines of JSON, and read commands. Its end means that the
// supervisor is gone.
const (
	childEnv = "DTASK_CHILD"
	childFD  = 3

	commandStop   = "stop"   // in good order
	commandNow    = "now"    // at once
	commandQuiet  = "quiet"  // run nothing, and say so with the same number (group.go)
	commandResume = "resume" // go on
	commandAlone  = "alone"  // the others are quiet
)

// A word is what a child says to its supervisor: its report, or something of group.go.
type word struct {
	Report *report `json:"report,omitempty"`
	Group  string  `json:"group,omitempty"`
	Round  int     `json:"round,omitempty"` // of a quiet
}

// orphanExit bounds the stop of a child whose supervisor is gone.
const orphanExit = 15 * time.Second

// A child is a process that a supervisor has started. Its fields belong to the
// supervisor's loop.
type child struct {
	place   *place
	cmd     *exec.Cmd
	conn    net.Conn
	started time.Time
	heard   time.Time // when it last reported
	report  report    // the last one
}

// executable returns the path under which this binary was started. Links are
// not resolved: a deployment may point them elsewhere.
func executable() (string, error) {
	path, err := exec.LookPath(os.Args[0])
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		path, err = os.Executable()
	}
	return path, err
}

// startChild starts the binary as a child. Through send it calls heard for each word of
// the child, and exited when the child has ended.
func (p *program) startChild(path string, at *place, send func(func()), heard func(*child, word), exited func(*child, error)) (*child, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, fmt.Errorf("socket pair: %w", err)
	}
	syscall.CloseOnExec(pair[0])
	syscall.CloseOnExec(pair[1])
	ours, theirs := os.NewFile(uintptr(pair[0]), "child"), os.NewFile(uintptr(pair[1]), "supervisor")
	defer ours.Close() // FileConn has its own
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, err
	}
	c := &child{place: at, conn: conn, started: time.Now(), heard: time.Now()}
	c.cmd = exec.Command(path, os.Args[1:]...)
	c.cmd.Args[0] = os.Args[0]
	c.cmd.Env = append(os.Environ(), childEnv+"="+strconv.Itoa(at.number), "NOTIFY_SOCKET=", "WATCHDOG_USEC=")
	c.cmd.Stdout, c.cmd.Stderr = p.stdout, p.stderr
	c.cmd.ExtraFiles = []*os.File{theirs}
	// Its own group: a terminal's ^C goes to the supervisor alone, which tells
	// the children.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.cmd.Start(); err != nil {
		conn.Close()
		return nil, err
	}
	go func() {
		for d := json.NewDecoder(conn); ; {
			var w word
			if d.Decode(&w) != nil {
				break
			}
			send(func() { heard(c, w) })
		}
		err := c.cmd.Wait()
		conn.Close()
		send(func() { exited(c, err) })
	}()
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) stop()    { c.tell(commandStop) }
func (c *child) stopNow() { c.tell(commandNow) }
func (c *child) kill()    { _ = c.cmd.Process.Kill() } // fails if it has ended

// tell sends the child a command. A child that cannot take it has ended, or
// hangs and is killed for that.
func (c *child) tell(command string) {
	_ = c.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.conn.Write([]byte(command + "\n"))
}

// child runs tasks under a supervisor.
func (p *program) child() error {
	number := p.getenv(childEnv)
	p.log = p.log.With("child", number)
	file := os.NewFile(childFD, "supervisor")
	conn, err := net.FileConn(file)
	if err != nil {
		return usagef("variable %s is set, but this process has no supervisor: %w", childEnv, err)
	}
	file.Close()
	defer conn.Close()
	// A process that a task starts must not take itself for a child, nor hold the
	// socket.
	os.Unsetenv(childEnv)

	stop := newStopper()
	release := stop.obeySignals(p.log)
	defer release()
	var saying sync.Mutex
	e := json.NewEncoder(conn)
	say := func(w word) {
		saying.Lock()
		defer saying.Unlock()
		_ = e.Encode(w) // fails if the supervisor is gone, which obeySupervisor notices
	}
	p.group = newGroup(stop.ctx, func(text string, round int) { say(word{Group: text, Round: round}) })
	go p.obeySupervisor(conn, stop)
	return p.work(stop, beatInterval, func(r report) {
		r.Extensions = p.extended.report()
		say(word{Report: &r})
	})
}

// obeySupervisor passes the commands of the supervisor on to stop and to the group. When
// the supervisor is gone, the process stops at once.
func (p *program) obeySupervisor(conn net.Conn, stop *stopper) {
	commands := bufio.NewScanner(conn)
	for commands.Scan() {
		switch command, number, _ := strings.Cut(commands.Text(), " "); command {
		case commandStop:
			stop.begin()
		case commandNow:
			stop.hurry()
		case commandQuiet:
			round, _ := strconv.Atoi(number)
			p.group.quiet(round)
		case commandResume:
			p.group.resume()
		case commandAlone:
			p.group.grant()
		}
	}
	if errors.Is(commands.Err(), net.ErrClosed) {
		return // child has closed it
	}
	p.log.Error("the supervisor is gone; stopping at once", "err", cmp.Or(commands.Err(), errors.New("end of file")))
	stop.hurry()
	time.Sleep(orphanExit)
	os.Exit(exitFailed)
}
