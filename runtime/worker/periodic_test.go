//go:build unix

package worker

import (
	"cmp"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// longEnv sets how many seconds TestEachSecondOnce lasts; issue-sized: 60.
const longEnv = "DTASK_TEST_TICKS"

// Five workers, a tick each second; five times the one that scheduled last is
// killed and another one started. Each tick is run exactly once.
func TestEachSecondOnce(t *testing.T) {
	seconds, err := strconv.Atoi(cmp.Or(os.Getenv(longEnv), "20"))
	if err != nil {
		t.Fatal(err)
	}
	if testing.Short() {
		seconds = 10
	}
	onEachBroker(t, func(t *testing.T, b *bench) {
		env := []string{cronEnv + "=* * * * * *"}
		workers := make(map[int]*proc)
		startWorker := func() {
			p := b.start(env, "-grace", "1s", "-concurrency", "2")
			workers[p.cmd.Process.Pid] = p
		}
		for range 5 {
			startWorker()
		}
		first := awaitTicks(t, b, 1)[0]
		begin, _ := time.Parse(time.RFC3339, tickTime(t, first, workers))
		for kill := range 5 {
			entries := awaitTicks(t, b, 1+(kill+1)*seconds/6)
			scheduler := schedulerOf(entries[len(entries)-1], workers)
			if scheduler == nil {
				t.Fatal("no worker says that it scheduled the last tick")
			}
			scheduler.signal(t, syscall.SIGKILL)
			scheduler.exit(t)
			delete(workers, scheduler.cmd.Process.Pid)
			startWorker()
		}
		awaitTicks(t, b, seconds)
		for _, p := range workers {
			p.signal(t, syscall.SIGTERM)
		}
		for _, p := range workers {
			p.exit(t)
		}
		// What a killed worker had enqueued or begun is run by the last.
		if code := b.start(append(env, "DTASK_SCHEDULER=off"), "-drain").exit(t); code != exitOK {
			t.Errorf("drain: exit code %d", code)
		}
		// A killed worker costs an attempt, so the same attempt twice means
		// that the tick was enqueued twice.
		runs := make(map[string]bool)
		attempts := make(map[entry]bool)
		all, _ := b.ledger.all()
		for _, e := range all {
			e.pid = 0
			if attempts[e] {
				t.Errorf("attempt %d of message %s was made twice", e.attempt, e.id)
			}
			runs[e.id], attempts[e] = true, true
		}
		for i := range seconds {
			tick := begin.Add(time.Duration(i) * time.Second)
			if !runs[tickID(tickTask.Name(), tick)] {
				t.Errorf("tick %v was never run", tick)
			}
		}
	})
}

// awaitTicks waits until n ticks have been run.
func awaitTicks(t *testing.T, b *bench, n int) []entry {
	t.Helper()
	deadline := time.After(patience)
	for {
		entries, more := b.ledger.all()
		if len(entries) >= n {
			return entries
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("%d ticks were run, want %d", len(entries), n)
		}
	}
}

// schedulerOf returns the worker that enqueued the tick, by its log.
func schedulerOf(e entry, workers map[int]*proc) *proc {
	for _, p := range workers {
		if strings.Contains(p.stderr.String(), "periodic task enqueued") && strings.Contains(enqueuedLine(p, e.id), e.id) {
			return p
		}
	}
	return nil
}

// enqueuedLine returns the line of the log that says that a tick was enqueued.
func enqueuedLine(p *proc, id string) string {
	for line := range strings.Lines(p.stderr.String()) {
		if strings.Contains(line, "periodic task enqueued") && strings.Contains(line, id) {
			return line
		}
	}
	return ""
}

// tickTime returns the time of a tick, as the log of its scheduler has it.
func tickTime(t *testing.T, e entry, workers map[int]*proc) string {
	t.Helper()
	p := schedulerOf(e, workers)
	if p == nil {
		t.Fatal("no worker says that it scheduled the tick")
	}
	_, rest, _ := strings.Cut(enqueuedLine(p, e.id), "tick=")
	text, _, _ := strings.Cut(rest, " ")
	parsed, err := time.Parse("2006-01-02T15:04:05.000Z", text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Format(time.RFC3339)
}
