package brokertest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// childEnv names the variable that makes a test binary a worker.
const childEnv = "DTASK_BROKERTEST_WORKER"

// Main is the TestMain of the tests of a broker. The suite kills worker processes;
// these are the test binary, started again.
func Main(m *testing.M) {
	if url := os.Getenv(childEnv); url != "" {
		if err := childWorker(url); err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// childWorker runs a worker that prints a line for every task it starts, until
// its standard input ends.
func childWorker(url string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c, err := dtask.Open(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close()
	say := func(ctx context.Context, text string) {
		info, _ := dtask.InfoFromContext(ctx)
		fmt.Printf("%s %d\n", text, info.Attempt)
	}
	table := dtask.Table{
		bind(define("hang", 2), func(ctx context.Context, text string) error {
			say(ctx, text)
			<-ctx.Done()
			return ctx.Err()
		}),
		bind(define("stubborn", 2), func(ctx context.Context, text string) error {
			say(ctx, text)
			select {}
		}),
	}
	for _, of := range []struct{ queue, die, neighbour string }{{"work", "die", "neighbour"}, {"more", "die2", "neighbour2"}} {
		table = append(table,
			bind(defineOn(of.queue, of.die, 2), func(ctx context.Context, text string) error {
				say(ctx, text)
				time.Sleep(100 * time.Millisecond) // its neighbours have started by now
				os.Exit(3)
				return nil
			}),
			bind(defineOn(of.queue, of.neighbour, 2), func(ctx context.Context, text string) error {
				time.Sleep(300 * time.Millisecond) // not done when the poison kills it
				say(ctx, text)
				return nil
			}),
		)
	}
	w, err := dtask.NewWorker(c, dtask.WorkerConfig{Concurrency: 5, Logger: slog.New(slog.DiscardHandler)}, table)
	if err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return w.Run(ctx)
}

// A child is a worker process.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines chan string // what it printed; closed when it is gone
}

// spawn starts a worker process on the store.
func spawn(t *testing.T, url string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: exec.Command(self), lines: make(chan string, 1000)}
	c.cmd.Env = append(os.Environ(), childEnv+"="+url)
	c.cmd.Stderr = os.Stderr
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdin = stdin
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(stdout); s.Scan(); {
			c.lines <- s.Text()
		}
		c.cmd.Wait()
		close(c.lines)
	}()
	t.Cleanup(c.kill)
	return c
}

// kill kills the process with SIGKILL and waits until it is gone.
func (c *child) kill() {
	c.cmd.Process.Kill()
	for range c.lines {
	}
}

// line returns the next line the process prints, or false when it has ended.
func (c *child) line(t *testing.T) (string, bool) {
	t.Helper()
	select {
	case s, ok := <-c.lines:
		return s, ok
	case <-time.After(Patience):
		t.Fatal("the worker process is silent")
	}
	panic("unreachable")
}

// A worker killed in the middle of its tasks loses none of them.
func testWorkerKilled(t *testing.T, store Store) {
	url := store(t)
	b := open(t, url)
	ctx := dtask.NewContext(Context(t), dtask.NewClient(b))
	hang := define("hang", 2)
	want := make(map[string]bool)
	for i := range 20 {
		text := fmt.Sprintf("hang%d", i)
		if _, err := hang.Delay(ctx, noteArgs{text}); err != nil {
			t.Fatal(err)
		}
		want[text] = true
	}
	c := spawn(t, url)
	for range 5 { // all its slots are busy
		c.line(t)
	}
	c.kill()

	var mu sync.Mutex
	finished := make(chan struct{})
	start(t, b, dtask.WorkerConfig{Concurrency: 5}, dtask.Table{
		bind(hang, func(ctx context.Context, text string) error {
			mu.Lock()
			defer mu.Unlock()
			if !want[text] {
				t.Errorf("%s executed twice", text)
				return nil
			}
			delete(want, text)
			if len(want) == 0 {
				close(finished)
			}
			return nil
		}),
	})
	select {
	case <-finished:
	case <-time.After(Patience):
		mu.Lock()
		t.Fatalf("lost with the worker: %v", want)
	}
	deadLetters(t, b, "work", 0)
}

// A task that kills its worker ends among the dead letters; its neighbours,
// which die with it each time, do not.
func testWorkerPoison(t *testing.T, store Store) {
	url := store(t)
	b := open(t, url)
	ctx := dtask.NewContext(Context(t), dtask.NewClient(b))
	die, neighbour := define("die", 2), define("neighbour", 2)
	neighbours := make(map[string]bool) // those not yet done
	for i := range 3 {
		text := fmt.Sprintf("neighbour%d", i)
		if _, err := neighbour.Delay(ctx, noteArgs{text}); err != nil {
			t.Fatal(err)
		}
		neighbours[text] = true
	}
	poison, err := die.Delay(ctx, noteArgs{"die"})
	if err != nil {
		t.Fatal(err)
	}
	starts := 0
	for spawned := 0; ; spawned++ {
		if spawned > 12 {
			t.Fatalf("the poisonous task was started %d times and is no dead letter", starts)
		}
		dead, err := admin(t, b).DeadLetters(Context(t), "work", 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(dead) > 0 {
			break
		}
		c := spawn(t, url)
		gone := make(chan struct{})
		go func() { // it ends by the poison, or is ended once the poison is dead
			defer close(gone)
			for s := range c.lines {
				text, _, _ := strings.Cut(s, " ")
				if text == "die" {
					starts++
				}
				delete(neighbours, text)
			}
		}()
		Eventually(t, func() string {
			select {
			case <-gone:
				return ""
			default:
			}
			if dead, err := admin(t, b).DeadLetters(Context(t), "work", 10); err == nil && len(dead) > 0 {
				c.cmd.Process.Kill()
				<-gone
				return ""
			}
			return "the worker process neither died nor moved the poison to the dead letters"
		})
	}
	dead := deadLetters(t, b, "work", 1)[0]
	if dead.ID != poison.ID {
		t.Errorf("dead letter %s (%s), want %s", dead.ID, dead.Task, poison.ID)
	}
	if starts < 3 || starts > 4 {
		t.Errorf("the poisonous task was started %d times, 3 are allowed and one more in quarantine", starts)
	}
	if last := dead.Failures[len(dead.Failures)-1].Error; !strings.Contains(last, "worker died") {
		t.Errorf("the dead letter says %q", last)
	}

	ran := make(chan string, 10)
	start(t, b, dtask.WorkerConfig{}, dtask.Table{
		bind(neighbour, func(_ context.Context, text string) error { ran <- text; return nil }),
	})
	for len(neighbours) > 0 {
		select {
		case text := <-ran:
			delete(neighbours, text)
		case <-time.After(Patience):
			t.Fatalf("lost with the poison: %v", neighbours)
		}
	}
	deadLetters(t, b, "work", 1)
}
