//go:build unix

package worker

import (
	"fmt"
	"syscall"
	"testing"
)

// Stopped in mid-load, again and again, workers lose nothing and run nothing
// twice.
func TestStopInMidLoad(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		const tasks = 300
		var texts []string
		for i := range tasks {
			texts = append(texts, fmt.Sprintf("%dms", i%5))
		}
		b.delay(napTask, texts...)
		for range 3 {
			before := len(b.ledger.of("done", napTask))
			p := b.start(nil, "-concurrency", "4", "-log-level", "warn")
			b.ledger.await(t, before+20, "done", napTask)
			p.signal(t, syscall.SIGTERM)
			if code := p.exit(t); code != exitOK {
				t.Errorf("exit code %d after SIGTERM", code)
			}
		}
		if code := b.start(nil, "-drain").exit(t); code != exitOK {
			t.Errorf("drain: exit code %d", code)
		}
		done := b.ledger.await(t, tasks, "done", napTask)
		runs := make(map[string]int)
		for _, e := range done {
			if runs[e.id]++; runs[e.id] > 1 || e.attempt != 1 {
				t.Errorf("task %s: run %d, attempt %d", e.id, runs[e.id], e.attempt)
			}
		}
		if started := len(b.ledger.of("start", napTask)); len(runs) != tasks || started != tasks {
			t.Errorf("%d of %d tasks done, %d started", len(runs), tasks, started)
		}
	})
}

// A task that outlasts the grace period is cancelled and handed back at no cost
// of an attempt.
func TestGraceRunsOut(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		b.delay(holdTask, "x")
		for run := range 3 {
			p := b.start(nil, "-grace", "10ms")
			b.ledger.await(t, run+1, "start", holdTask)
			p.signal(t, syscall.SIGINT)
			if code := p.exit(t); code != exitOK {
				t.Errorf("exit code %d", code)
			}
		}
		for _, e := range b.ledger.of("start", holdTask) {
			if e.attempt != 1 {
				t.Errorf("attempt %d, want 1: the stops cost attempts", e.attempt)
			}
		}
		if s := b.state("work"); s.Dead != 0 || s.Ready != 1 {
			t.Errorf("after the stops: %+v, want one message ready", s)
		}
	})
}

// A second signal hands back at once what still runs, even a task that ignores its
// context.
func TestSecondSignal(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		b.delay(deafTask, "x")
		b.delay(holdTask, "x")
		p := b.start(nil, "-grace", "1h")
		b.ledger.await(t, 1, "start", deafTask)
		b.ledger.await(t, 1, "start", holdTask)
		p.signal(t, syscall.SIGTERM)
		p.logged(t, 1, "stopping")
		p.signal(t, syscall.SIGTERM)
		if code := p.exit(t); code != exitOK {
			t.Errorf("exit code %d", code)
		}
		if s := b.state("work"); s.Ready != 2 || s.Dead != 0 {
			t.Errorf("after the stop: %+v, want two messages ready", s)
		}
		next := b.start(nil, "-grace", "1ms")
		again := b.ledger.await(t, 2, "start", deafTask)
		if last := again[1]; last.attempt != 1 {
			t.Errorf("attempt %d after the stop, want 1", last.attempt)
		}
		next.abort(t)
	})
}

// A stop before the broker has answered is a stop in good order too.
func TestStopBeforeStart(t *testing.T) {
	b := &bench{t: t, url: "sqlite:" + t.TempDir() + "/tasks.db", ledger: newLedger(t)}
	p := b.start(nil)
	p.logged(t, 1, "consuming")
	p.signal(t, syscall.SIGHUP) // its terminal is gone
	if code := p.exit(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}
