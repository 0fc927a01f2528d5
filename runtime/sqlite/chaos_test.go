package sqlite

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// chaosEnv makes the test binary a process of the chaos test: it names the
// database.
const chaosEnv = "DTASK_SQLITE_CHAOS"

// TestChaos kills processes that enqueue and execute, with SIGKILL and at
// random, and then accounts for every message: each one whose Enqueue returned
// was executed, and what was executed more than once was in the hands of a
// process that was killed.
//
// DTASK_SQLITE_KILLS sets how many are killed; a run of a thousand takes about
// three minutes.
func TestChaos(t *testing.T) {
	kills := 12
	if s := os.Getenv("DTASK_SQLITE_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	file := newFile(t)
	b := openBroker(t, file)
	var children []*exec.Cmd
	for range 3 {
		children = append(children, startChaos(t, file))
	}
	for killed := range kills {
		// Not too early: it is to have something in its hands, mostly.
		before := countLines(file + ".enqueued")
		eventually(t, "the processes enqueue", func() bool { return countLines(file+".enqueued") > before })
		time.Sleep(time.Duration(50+rand.IntN(150)) * time.Millisecond)
		i := killed % len(children)
		children[i].Process.Kill()
		children[i].Wait()
		children[i] = startChaos(t, file)
	}
	for _, c := range children {
		c.Process.Kill()
		c.Wait()
	}

	// What is left is executed here.
	executed := make(map[string]int)
	c := mustConsume(t, b, "chaos", chaosConcurrency)
	eventually(t, "the dead processes' messages are free", func() bool {
		for {
			select {
			case d := <-c.Deliveries():
				executed[d.Message().ID]++
				d.Settle(broker.Settlement{Verdict: broker.Done})
			default:
				s := queueState(t, b, "chaos")
				return s.Ready+s.Running+s.Delayed == 0
			}
		}
	})

	enqueued := readIDs(t, file+".enqueued")
	for _, id := range readIDs(t, file+".executed") {
		executed[id]++
	}
	lost, repeated := 0, 0
	for _, id := range enqueued {
		if executed[id] == 0 {
			lost++
		}
	}
	for _, n := range executed {
		repeated += n - 1
	}
	t.Logf("%d enqueued, %d killed, %d lost, %d executed again", len(enqueued), kills+len(children), lost, repeated)
	if len(enqueued) < kills {
		t.Error("the processes have done next to nothing")
	}
	if lost > 0 {
		t.Errorf("%d messages were lost", lost)
	}
	if most := (kills + len(children)) * (chaosConcurrency + maxAhead); repeated > most {
		t.Errorf("%d executions were repeated, at most %d were in the hands of killed processes", repeated, most)
	}
	if s := queueState(t, b, "chaos"); s.Dead > 0 {
		t.Errorf("%d dead letters", s.Dead)
	}
	if n := mustInt(t, openConn(t, file), "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"); n != 0 {
		t.Error("the file is damaged")
	}
	locks, _ := filepath.Glob(at(file).lockPrefix() + "*")
	if len(locks) != 1 {
		t.Errorf("%d lock files are left, want this process's alone", len(locks))
	}
}

func readIDs(t *testing.T, file string) (ids []string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		ids = append(ids, s.Text())
	}
	return ids
}

func countLines(file string) int {
	text, _ := os.ReadFile(file) // it may not be there yet
	return bytes.Count(text, []byte("\n"))
}

func startChaos(t *testing.T, file string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), chaosEnv+"="+file)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

const chaosConcurrency = 4

// chaosWorker enqueues and executes until it is killed. It notes the ids of
// messages that are enqueued, and of those it executes, in files: a write that
// has returned survives the process.
func chaosWorker(file string) (exitCode int) {
	if err := chaos(file); err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		return 1
	}
	return 0
}

func chaos(file string) error {
	ctx := context.Background()
	note := func(name string) (func(id string) error, error) {
		f, err := os.OpenFile(file+name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		return func(id string) error {
			_, err := f.WriteString(id + "\n")
			return err
		}, err
	}
	enqueued, err := note(".enqueued")
	if err != nil {
		return err
	}
	executed, err := note(".executed")
	if err != nil {
		return err
	}
	b, err := Open(ctx, "sqlite:"+file, broker.Config{})
	if err != nil {
		return err
	}
	c, err := b.Consume(ctx, broker.ConsumeOptions{Queue: "chaos", Concurrency: chaosConcurrency})
	if err != nil {
		return err
	}
	errs := make(chan error)
	for range chaosConcurrency {
		go func() {
			for d := range c.Deliveries() {
				m := d.Message()
				switch {
				case strings.HasSuffix(m.ID, "0") && m.Attempt == 1: // fails once
					m.Attempt++
					m.NotBefore = time.Now().Add(10 * time.Millisecond)
					d.Settle(broker.Settlement{Verdict: broker.Requeue})
				default:
					if err := executed(m.ID); err != nil {
						errs <- err
					}
					d.Settle(broker.Settlement{Verdict: broker.Done})
				}
			}
		}()
	}
	start := time.Now().UnixNano()
	for i := range 2 {
		go func() {
			for n := 0; ; n++ {
				m := &broker.Message{
					ID: fmt.Sprintf("%d-%d-%d-%d", os.Getpid(), start, i, n), Task: "t", Queue: "chaos",
					Attempt: 1, Attempts: 1_000_000, EnqueuedAt: time.Now(),
				}
				if err := b.Enqueue(ctx, m); err != nil {
					errs <- err
				}
				if err := enqueued(m.ID); err != nil {
					errs <- err
				}
				time.Sleep(time.Millisecond)
			}
		}()
	}
	return <-errs
}
