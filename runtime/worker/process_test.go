//go:build unix

package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/crontab"
	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	_ "github.com/dtaskhq/dtask/runtime/postgres"
	_ "github.com/dtaskhq/dtask/runtime/rabbitmq"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
)

// The tests start this binary again as a worker program. Its tasks report to
// the socket that ledgerEnv names.
const (
	ledgerEnv = "DTASK_WORKERTEST_LEDGER"
	cronEnv   = "DTASK_WORKERTEST_CRON"   // schedule of the task tick
	outboxEnv = "DTASK_WORKERTEST_OUTBOX" // file with an outbox
	brokenEnv = "DTASK_WORKERTEST_BROKEN" // file: while it exists, children exit at once
)

// patience is how long tests wait for what must happen.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	if os.Getenv(ledgerEnv) != "" {
		parseSchedule = crontab.ParseSeconds
		if _, err := os.Stat(os.Getenv(brokenEnv)); err == nil && os.Getenv(childEnv) != "" {
			os.Exit(7)
		}
		os.Exit(Program{Outbox: testOutbox()}.Run(os.Args[1:], testTable()))
	}
	os.Exit(m.Run())
}

type textArgs struct {
	Text string `json:"text"`
}

func define(name, queue string, retries int) dtask.Task[textArgs, dtask.None] {
	return dtask.Define[textArgs, dtask.None](name, dtask.Spec{
		Queue: queue, Retries: retries, Timeout: time.Hour, Backoff: 100 * time.Millisecond, Schema: "text string",
	})
}

// The tasks of the program.
var (
	noteTask  = define("test.Note", "work", 3)  // returns at once
	napTask   = define("test.Nap", "work", 3)   // sleeps for text, whatever its context says
	holdTask  = define("test.Hold", "work", 3)  // waits for the end of its context
	deafTask  = define("test.Deaf", "work", 3)  // never returns
	failTask  = define("test.Fail", "work", 1)  // fails
	flakyTask = define("test.Flaky", "work", 3) // fails at the first two attempts
	bombTask  = define("test.Bomb", "work", 1)  // kills its process
	hogTask   = define("test.Hog", "work", 3)   // keeps memory
	otherTask = define("test.Other", "other", 0)

	otherNapTask  = define("test.OtherNap", "other", 3)
	otherBombTask = define("test.OtherBomb", "other", 1)

	tickTask = dtask.Define[struct{}, dtask.None]("test.Tick", dtask.Spec{
		Queue: "work", Retries: 3, Backoff: 100 * time.Millisecond, Schema: "empty", Cron: os.Getenv(cronEnv),
	})
)

var hoard [][]byte

// overflow never returns: recover cannot stop a stack overflow.
func overflow(n int) error {
	if n < 0 {
		return nil
	}
	return fmt.Errorf("%d: %w", n, overflow(n+1))
}

func testTable() dtask.Table {
	bind := func(t dtask.Task[textArgs, dtask.None], fn func(context.Context, string) error) dtask.BoundTask {
		return t.Bind(func(ctx context.Context, a textArgs) (dtask.None, error) {
			say(ctx, "start", a.Text)
			err := fn(ctx, a.Text)
			if err == nil {
				say(ctx, "done", a.Text)
			}
			return dtask.None{}, err
		})
	}
	note := func(context.Context, string) error { return nil }
	nap := func(_ context.Context, text string) error {
		d, err := time.ParseDuration(text)
		time.Sleep(d)
		return err
	}
	bomb := func(_ context.Context, kind string) error {
		if kind == "overflow" {
			debug.SetMaxStack(1 << 20) // sooner
			return overflow(1)
		}
		go func() { panic("in a goroutine of the task") }()
		select {}
	}
	table := dtask.Table{
		bind(noteTask, note),
		bind(otherTask, note),
		bind(napTask, nap),
		bind(otherNapTask, nap),
		bind(holdTask, func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }),
		bind(deafTask, func(context.Context, string) error { select {} }),
		bind(failTask, func(context.Context, string) error { return errors.New("as always") }),
		bind(flakyTask, func(ctx context.Context, _ string) error {
			if info, _ := dtask.InfoFromContext(ctx); info.Attempt < 3 {
				return errors.New("not yet")
			}
			return nil
		}),
		bind(bombTask, bomb),
		bind(otherBombTask, bomb),
		bind(hogTask, func(context.Context, string) error {
			hoard = append(hoard, bytes.Repeat([]byte{1}, 64<<20))
			return nil
		}),
	}
	if os.Getenv(cronEnv) != "" {
		table = append(table, tickTask.Bind(func(ctx context.Context, _ struct{}) (dtask.None, error) {
			info, _ := dtask.InfoFromContext(ctx)
			say(ctx, "done", info.ID)
			return dtask.None{}, nil
		}))
	}
	return table
}

// A proc is a worker process.
type proc struct {
	cmd    *exec.Cmd
	stdout *output
	stderr *output
	ended  chan struct{}
}

// bench is what a test of processes works with.
type bench struct {
	t      *testing.T
	url    string
	ledger *ledger
	client *dtask.Client
}

// onEachBroker runs a test with an empty store of every broker that is there.
func onEachBroker(t *testing.T, test func(*testing.T, *bench)) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, newBench(t, "sqlite:"+filepath.Join(t.TempDir(), "tasks.db")))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, newBench(t, postgrestest.URL(t)))
	})
	t.Run("rabbitmq", func(t *testing.T) {
		t.Parallel()
		test(t, newBench(t, rabbittest.URL(t)))
	})
}

func newBench(t *testing.T, url string) *bench {
	client, err := dtask.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("close the broker: %v", err)
		}
	})
	return &bench{t, url, newLedger(t), client}
}

func (b *bench) pauser() broker.Pauser {
	b.t.Helper()
	pauser, err := broker.As[broker.Pauser](b.client.Broker())
	if err != nil {
		b.t.Fatal(err)
	}
	return pauser
}

func (b *bench) admin() broker.Admin {
	b.t.Helper()
	admin, err := b.client.Admin()
	if err != nil {
		b.t.Fatal(err)
	}
	return admin
}

// delay enqueues a task once for each of the texts.
func (b *bench) delay(task dtask.Task[textArgs, dtask.None], texts ...string) {
	b.t.Helper()
	args := make([]textArgs, len(texts))
	for i, text := range texts {
		args[i].Text = text
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience) // the client's own limit is short
	defer cancel()
	if _, err := dtask.DelayMany(dtask.NewContext(ctx, b.client), task, args); err != nil {
		b.t.Fatal(err)
	}
}

// start starts a worker process. env has entries NAME=value.
func (b *bench) start(env []string, args ...string) *proc {
	b.t.Helper()
	self, err := os.Executable()
	if err != nil {
		b.t.Fatal(err)
	}
	return b.startBinary(self, env, args...)
}

func (b *bench) startBinary(path string, env []string, args ...string) *proc {
	b.t.Helper()
	p := &proc{cmd: exec.Command(path, args...), stdout: newOutput(), stderr: newOutput(), ended: make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), ledgerEnv+"="+b.ledger.path, "DTASK_URL="+b.url,
		"GORACE=atexit_sleep_ms=0"), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	p.cmd.WaitDelay = patience // for children that outlive it
	if err := p.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	b.t.Cleanup(func() {
		select {
		case <-p.ended:
		default:
			p.abort(b.t)
		}
		if b.t.Failed() {
			b.t.Logf("worker %v:\n%s%s", args, p.stdout, p.stderr)
		}
	})
	return p
}

func (p *proc) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// abort stops the process by two signals, and waits for its end.
func (p *proc) abort(t *testing.T) (code int) {
	t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.logged(t, 1, "signal received") // two at once would count as one
	p.cmd.Process.Signal(syscall.SIGTERM)
	return p.exit(t)
}

// exit waits for the end of the process and returns its exit code.
func (p *proc) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-p.ended:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.cmd.Process.Kill()
		t.Fatal("the process does not end")
	}
	panic("unreachable")
}

// logged waits until the process has logged n lines with the text.
func (p *proc) logged(t *testing.T, n int, text string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		log, more := p.stderr.read()
		if strings.Count(log, text) >= n {
			return
		}
		select {
		case <-more:
		case <-p.ended:
			if strings.Count(p.stderr.String(), text) >= n {
				return
			}
			t.Fatalf("the process ended without logging %q", text)
		case <-deadline:
			t.Fatalf("the process does not log %q", text)
		}
	}
}

// state returns the state of a queue.
func (b *bench) state(queue string) broker.QueueState {
	b.t.Helper()
	states, err := b.admin().Queues(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	for _, s := range states {
		if s.Queue == queue {
			return s
		}
	}
	return broker.QueueState{Queue: queue}
}
