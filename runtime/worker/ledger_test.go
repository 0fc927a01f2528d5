//go:build unix

package worker

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

var ledgerConn = sync.OnceValues(func() (net.Conn, error) { return net.Dial("unix", os.Getenv(ledgerEnv)) })

// say writes what a task does to the ledger: event, task, id, attempt, pid and
// the text.
func say(ctx context.Context, event, text string) {
	conn, err := ledgerConn()
	if err == nil {
		info, _ := dtask.InfoFromContext(ctx)
		_, err = fmt.Fprintf(conn, "%s %s %s %d %d %s\n", event, info.Task, info.ID, info.Attempt, os.Getpid(), text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ledger:", err)
		os.Exit(1)
	}
}

// An entry is a line of the ledger.
type entry struct {
	event, task, id string
	attempt, pid    int
	text            string
}

// A ledger collects what tasks say.
type ledger struct {
	path string

	mu      sync.Mutex
	entries []entry
	more    chan struct{} // closed and replaced at each entry
}

func newLedger(t *testing.T) *ledger {
	dir, err := os.MkdirTemp("", "dtask") // short: paths of sockets have a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	l := &ledger{path: filepath.Join(dir, "ledger"), more: make(chan struct{})}
	listener, err := net.Listen("unix", l.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go l.read(conn)
		}
	}()
	return l
}

func (l *ledger) read(conn net.Conn) {
	defer conn.Close()
	for s := bufio.NewScanner(conn); s.Scan(); {
		var e entry
		if _, err := fmt.Sscanf(s.Text(), "%s %s %s %d %d %s", &e.event, &e.task, &e.id, &e.attempt, &e.pid, &e.text); err != nil {
			panic(fmt.Sprintf("ledger line %q: %v", s.Text(), err))
		}
		l.mu.Lock()
		l.entries = append(l.entries, e)
		close(l.more)
		l.more = make(chan struct{})
		l.mu.Unlock()
	}
}

// all returns the entries so far, and a channel that is closed at the next.
func (l *ledger) all() ([]entry, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries), l.more
}

// of returns the entries of an event of a task.
func (l *ledger) of(event string, task dtask.Task[textArgs, dtask.None]) []entry {
	all, _ := l.all()
	return slices.DeleteFunc(all, func(e entry) bool { return e.event != event || e.task != task.Name() })
}

// await waits until there are n entries of an event of a task, and returns
// them.
func (l *ledger) await(t *testing.T, n int, event string, task dtask.Task[textArgs, dtask.None]) []entry {
	t.Helper()
	deadline := time.After(patience)
	for {
		_, more := l.all()
		got := l.of(event, task)
		if len(got) >= n {
			return got
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("%d times %s of %s, want %d", len(got), event, task.Name(), n)
		}
	}
}
