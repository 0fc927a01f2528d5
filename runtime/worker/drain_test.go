//go:build unix

package worker

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

func TestDrain(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		if p := b.start(nil, "-drain"); p.exit(t) != exitOK || p.stdout.String() != "" {
			t.Errorf("drain of empty queues: exit code %d, output %q", p.exit(t), p.stdout)
		}

		b.delay(noteTask, "a", "b", "c")
		later, err := noteTask.Delay(dtask.NewContext(t.Context(), b.client), textArgs{"later"}, dtask.In(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		p := b.start(nil, "-drain")
		if code := p.exit(t); code != exitOK {
			t.Errorf("exit code %d", code)
		}
		for _, e := range b.ledger.await(t, 3, "done", noteTask) {
			if e.id == later.ID {
				t.Error("a task that is due in an hour was run")
			}
		}
		if out := p.stdout.String(); !strings.Contains(out, "test.Note") || !strings.Contains(out, "   3 ") {
			t.Errorf("summary:\n%s", out)
		}

		b.delay(failTask, "x")
		p = b.start(nil, "-drain", "-drain-retries")
		if code := p.exit(t); code != exitDead {
			t.Errorf("exit code %d, want %d for a dead letter", code, exitDead)
		}
		if s := b.state("work"); s.Dead != 1 || s.Ready != 0 {
			t.Errorf("after the drain: %+v", s)
		}
	})
}

// A drain waits for retries if it is asked to.
func TestDrainRetries(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		b.delay(flakyTask, "x")
		if code := b.start(nil, "-drain", "-drain-retries").exit(t); code != exitOK {
			t.Errorf("exit code %d", code)
		}
		if done := b.ledger.of("done", flakyTask); len(done) != 1 || done[0].attempt != 3 {
			t.Errorf("done: %+v, want it at the third attempt", done)
		}
	})
}

// Several drains at once share the work and all end.
func TestDrainTogether(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		var texts []string
		for i := range 200 {
			texts = append(texts, fmt.Sprintf("%dms", 1+i%4))
		}
		b.delay(napTask, texts...)
		var drains []*proc
		for range 3 {
			drains = append(drains, b.start(nil, "-drain", "-concurrency", "3", "-log-level", "warn"))
		}
		for _, p := range drains {
			if code := p.exit(t); code != exitOK {
				t.Errorf("exit code %d", code)
			}
		}
		runs := make(map[string]int)
		for _, e := range b.ledger.await(t, 200, "done", napTask) {
			if runs[e.id]++; runs[e.id] > 1 {
				t.Errorf("task %s ran %d times", e.id, runs[e.id])
			}
		}
		if s := b.state("work"); s.Ready != 0 || s.Dead != 0 {
			t.Errorf("after the drains: %+v", s)
		}
	})
}

// A drain leaves a paused queue alone, and can be stopped.
func TestDrainPaused(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		if code := b.start(nil, "-drain").exit(t); code != exitOK { // makes the queues
			t.Fatalf("exit code %d", code)
		}
		if err := b.pauser().Pause(t.Context(), broker.Pause{What: broker.PauseQueue, Name: "work"}); err != nil {
			t.Fatal(err)
		}
		b.delay(noteTask, "x")
		b.delay(otherTask, "x")
		p := b.start(nil, "-drain")
		if code := p.exit(t); code != exitLeft {
			t.Errorf("exit code %d, want %d", code, exitLeft)
		}
		if out := p.stdout.String(); !strings.Contains(out, "work is paused, left alone\n") || strings.Contains(out, "other is paused") {
			t.Errorf("summary:\n%s", out)
		}
		if len(b.ledger.of("done", noteTask)) > 0 || len(b.ledger.of("done", otherTask)) != 1 {
			t.Error("want the task of the queue that is not paused, and no other")
		}
	})
}

func TestDrainStopped(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		b.delay(holdTask, "x")
		p := b.start(nil, "-drain", "-grace", "1ms")
		b.ledger.await(t, 1, "start", holdTask)
		p.signal(t, syscall.SIGTERM)
		if code := p.exit(t); code != exitFailed {
			t.Errorf("exit code %d, want %d for a drain that was stopped", code, exitFailed)
		}
		if s := b.state("work"); s.Ready != 1 {
			t.Errorf("after the stop: %+v", s)
		}
	})
}
