//go:build unix

package worker

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// pids returns the processes that have run tasks.
func pids(entries []entry) []int {
	set := make(map[int]bool)
	for _, e := range entries {
		set[e.pid] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// gone waits until there is no process pid.
func gone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(patience); !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("process %d goes on", pid)
		}
	}
}

// ready waits until n children have been consuming both queues.
func (p *proc) ready(t *testing.T, n int) { t.Helper(); p.logged(t, 2*n, "consuming") }

func TestSupervisorReplacesTheDead(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		p := b.start(nil, "-processes", "2", "-concurrency", "3")
		p.ready(t, 2)
		b.delay(holdTask, "1", "2")
		victim := b.ledger.await(t, 2, "start", holdTask)[0]
		if victim.pid == p.cmd.Process.Pid {
			t.Fatal("the supervisor runs tasks itself")
		}
		if err := syscall.Kill(victim.pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		third := b.ledger.await(t, 3, "start", holdTask)[2]
		if third.attempt != 2 || third.pid == victim.pid {
			t.Errorf("after the kill: %+v, want the task of %+v in another process", third, victim)
		}
		p.logged(t, 1, "process died")
		if log := p.stderr.String(); !strings.Contains(log, "signal: killed") || !strings.Contains(log, "child=1") || !strings.Contains(log, "child=2") {
			t.Error("the log does not say how the child died, or lacks the children's numbers")
		}
		if code := p.abort(t); code != exitOK {
			t.Errorf("exit code %d", code)
		}
		for _, pid := range pids(b.ledger.of("start", holdTask)) {
			gone(t, pid)
		}
	})
}

// A panic in a goroutine that a task started, or a stack overflow, ends the
// process, but the work is done.
func TestSupervisorSurvivesBombs(t *testing.T) {
	for kind, says := range map[string]string{"panic": "in a goroutine of the task", "overflow": "stack overflow"} {
		t.Run(kind, func(t *testing.T) {
			onEachBroker(t, func(t *testing.T, b *bench) {
				b.delay(bombTask, kind)
				p := b.start(nil, "-processes", "1")
				p.logged(t, 1, says)
				b.delay(noteTask, "x")
				b.ledger.await(t, 1, "done", noteTask)
				p.logged(t, 1, "task moved to the dead letters")
				p.signal(t, syscall.SIGTERM)
				if code := p.exit(t); code != exitOK {
					t.Errorf("exit code %d", code)
				}
				if n := b.state("work").Dead; n != 1 {
					t.Errorf("%d dead letters, want the bomb", n)
				}
			})
		})
	}
}

// Bombs on two queues kill several processes, again and again: they become dead
// letters, and none of the tasks that run beside them does.
func TestSupervisorBuriesBombsOnly(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		const bombs, naps = 2, 30 // of each queue
		for range bombs {
			b.delay(bombTask, "panic")
			b.delay(otherBombTask, "panic")
			for range naps / bombs {
				b.delay(napTask, "200ms")
				b.delay(otherNapTask, "200ms")
			}
		}
		p := b.start(nil, "-processes", "3", "-concurrency", "4")
		for _, queue := range []string{"work", "other"} {
			brokertest.Eventually(t, func() string {
				if s := b.state(queue); s.Dead < bombs || s.Ready+s.Running+s.Delayed > 0 {
					return fmt.Sprintf("%s: %+v, want %d dead letters and nothing else", queue, s, bombs)
				}
				return ""
			})
			dead, err := b.admin().DeadLetters(t.Context(), queue, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range dead {
				if m.Task != bombTask.Name() && m.Task != otherBombTask.Name() {
					t.Errorf("%s is a dead letter: %+v", m.Task, m.Failures)
				}
			}
		}
		for _, task := range []dtask.Task[textArgs, dtask.None]{napTask, otherNapTask} {
			b.ledger.await(t, naps, "done", task)
		}
		p.signal(t, syscall.SIGTERM)
		if code := p.exit(t); code != exitOK {
			t.Errorf("exit code %d", code)
		}
	})
}

func TestSupervisorCrashLoop(t *testing.T) {
	t.Parallel()
	b := newBench(t, "sqlite:"+filepath.Join(t.TempDir(), "tasks.db"))
	p := b.start([]string{brokenEnv + "=/"}, "-processes", "2")
	if code := p.exit(t); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	if log := p.stderr.String(); !strings.Contains(log, "crash loop") || !strings.Contains(log, "exit status 7") {
		t.Error("the log does not report the crash loop and how the children end")
	}
}

// Children that have run enough tasks are replaced; no task is lost or delayed
// by it.
func TestSupervisorMaxTasks(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		p := b.start(nil, "-processes", "2", "-max-tasks", "20")
		const tasks = 100
		b.delay(napTask, slices.Repeat([]string{"200ms"}, tasks)...)
		p.logged(t, 1, "-max-tasks is 20") // while there is work
		done := b.ledger.await(t, tasks, "done", napTask)
		p.logged(t, 2, "process has ended")
		if started := b.ledger.of("start", napTask); len(done) != tasks || len(started) != tasks {
			t.Errorf("%d executions of %d tasks, %d of them finished", len(started), tasks, len(done))
		}
		p.signal(t, syscall.SIGTERM)
		if code := p.exit(t); code != exitOK {
			t.Errorf("exit code %d", code)
		}
		for _, pid := range pids(done) {
			gone(t, pid)
		}
	})
}

func TestSupervisorMaxMemory(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		p := b.start(nil, "-processes", "1", "-max-memory", "300MiB")
		b.delay(hogTask, slices.Repeat([]string{"x"}, 8)...)
		b.ledger.await(t, 8, "done", hogTask)
		p.logged(t, 1, "-max-memory is 300MiB")
		p.logged(t, 1, "process has ended")
		b.delay(noteTask, "x")
		after := b.ledger.await(t, 1, "done", noteTask)
		if first := b.ledger.of("done", hogTask)[0]; first.pid == after[0].pid {
			t.Error("the process with too much memory was not replaced")
		}
		p.signal(t, syscall.SIGTERM)
		if code := p.exit(t); code != exitOK {
			t.Errorf("exit code %d", code)
		}
	})
}

// SIGHUP starts new children, of a binary that was replaced meanwhile, and lets
// the old ones finish what they do.
func TestSupervisorReload(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(t.TempDir(), "worker")
		if err := os.Symlink(self, link); err != nil {
			t.Fatal(err)
		}
		p := b.startBinary(link, nil, "-processes", "2", "-concurrency", "1")
		p.ready(t, 2)
		b.delay(napTask, "1500ms", "1500ms")
		old := pids(b.ledger.await(t, 2, "start", napTask))

		// The new binary: this one, under another name.
		copied := filepath.Join(t.TempDir(), "worker2")
		script := fmt.Sprintf("#!/bin/sh\nexec env NEW_BINARY=1 %q \"$@\"\n", self)
		if err := os.WriteFile(copied, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(copied, link); err != nil {
			t.Fatal(err)
		}
		p.signal(t, syscall.SIGHUP)
		p.logged(t, 2, "process has ended")
		if done := b.ledger.await(t, 2, "done", napTask); len(done) != 2 || len(b.ledger.of("start", napTask)) != 2 {
			t.Errorf("the reload cut tasks short: %+v", done)
		}
		b.delay(noteTask, slices.Repeat([]string{"x"}, 20)...)
		for _, e := range b.ledger.await(t, 20, "done", noteTask) {
			if slices.Contains(old, e.pid) {
				t.Errorf("old process %d goes on", e.pid)
			}
		}
		p.signal(t, syscall.SIGTERM)
		if code := p.exit(t); code != exitOK {
			t.Errorf("exit code %d", code)
		}
	})
}

// A reload with a broken binary leaves the old children at work.
func TestSupervisorReloadBroken(t *testing.T) {
	t.Parallel()
	b := newBench(t, "sqlite:"+filepath.Join(t.TempDir(), "tasks.db"))
	broken := filepath.Join(t.TempDir(), "broken")
	p := b.start([]string{brokenEnv + "=" + broken}, "-processes", "2")
	p.ready(t, 2)
	if err := os.WriteFile(broken, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGHUP)
	p.logged(t, 2, "replacement ended before it was ready")
	b.delay(noteTask, "x")
	b.ledger.await(t, 1, "done", noteTask)
	p.signal(t, syscall.SIGTERM)
	if code := p.exit(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

// No child outlives its supervisor, however that dies. The tasks that the child was
// running run elsewhere, and that costs no attempt.
func TestSupervisorKilled(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		p := b.start(nil, "-processes", "3", "-concurrency", "1", "-grace", "1h")
		p.ready(t, 3)
		b.delay(holdTask, "1", "2")
		b.delay(deafTask, "3")
		b.ledger.await(t, 2, "start", holdTask)
		b.ledger.await(t, 1, "start", deafTask)
		all, _ := b.ledger.all()
		p.signal(t, syscall.SIGKILL)
		for _, pid := range pids(all) {
			gone(t, pid)
		}
		p.exit(t)
		if s := b.state("work"); s.Ready != 3 || s.Dead != 0 {
			t.Errorf("after the kill: %+v, want three messages ready", s)
		}
		next := b.start(nil, "-concurrency", "3")
		for _, e := range b.ledger.await(t, 4, "start", holdTask)[2:] {
			if e.attempt != 1 {
				t.Errorf("attempt %d after an orderly end, want 1", e.attempt)
			}
		}
		next.abort(t)
	})
}

// A child that hangs is replaced.
func TestSupervisorStoppedChild(t *testing.T) {
	if testing.Short() {
		skip.Test(t, "takes the time after which a child counts as hanging")
	}
	t.Parallel()
	b := newBench(t, "sqlite:"+filepath.Join(t.TempDir(), "tasks.db"))
	p := b.start(nil, "-processes", "1")
	b.delay(noteTask, "x")
	pid := b.ledger.await(t, 1, "done", noteTask)[0].pid
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	p.logged(t, 1, "process is silent")
	b.delay(noteTask, "y")
	if e := b.ledger.await(t, 2, "done", noteTask)[1]; e.pid == pid {
		t.Errorf("run by %+v", e)
	}
}

// Signals to the whole group, as systemd sends them, are one stop and not two.
func TestSupervisorGroupSignal(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		p := b.start(nil, "-processes", "1")
		b.delay(napTask, "1s")
		child := b.ledger.await(t, 1, "start", napTask)[0].pid
		p.signal(t, syscall.SIGTERM)
		if err := syscall.Kill(child, syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if code := p.exit(t); code != exitOK {
			t.Errorf("exit code %d", code)
		}
		if done := b.ledger.of("done", napTask); len(done) != 1 {
			t.Error("the task was cut short")
		}
	})
}
