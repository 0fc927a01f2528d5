//go:build unix

package worker

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// process waits until the entry of a worker is as check wants it.
func (b *bench) process(p *proc, check func(broker.Process) bool) (found broker.Process) {
	b.t.Helper()
	registry, err := broker.As[broker.Registry](b.client.Broker())
	if err != nil {
		b.t.Fatal(err)
	}
	brokertest.Eventually(b.t, func() string {
		ps, err := registry.Processes(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		i := slices.IndexFunc(ps, func(q broker.Process) bool { return q.PID == p.cmd.Process.Pid })
		if i < 0 || !check(ps[i]) {
			return fmt.Sprintf("workers %+v", ps)
		}
		found = ps[i]
		return ""
	})
	return found
}

// One of two workers is quiet: it finishes what it has, and takes no more, until it is
// resumed. Stopped, it ends as at a signal, and the other one goes on.
func TestQuietAndStop(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		first := b.start(nil, "-queues", "work")
		all := func(broker.Process) bool { return true }
		id := b.process(first, all).ID
		b.delay(napTask, "300ms")
		b.ledger.await(t, 1, "start", napTask)
		o := operate.New(b.client.Broker())
		order := func(kind broker.OrderKind) {
			t.Helper()
			if err := o.Command(t.Context(), b.process(first, all), broker.Order{Kind: kind}); err != nil {
				t.Fatal(err)
			}
		}
		order(broker.OrderQuiet)
		b.ledger.await(t, 1, "done", napTask) // it ends what it has begun
		second := b.start(nil, "-queues", "work")
		if id == b.process(second, all).ID {
			t.Error("two workers have one id")
		}
		var texts []string
		for i := range 20 {
			texts = append(texts, fmt.Sprint("quiet", i))
		}
		b.delay(noteTask, texts...)
		for _, e := range b.ledger.await(t, len(texts), "done", noteTask) {
			if e.pid != second.cmd.Process.Pid {
				t.Errorf("%s was run by %d, which is quiet", e.text, e.pid)
			}
		}
		order(broker.OrderResume)
		for n := 1; !slices.ContainsFunc(b.ledger.of("done", napTask)[1:], func(e entry) bool { return e.pid == first.cmd.Process.Pid }); n++ {
			b.delay(napTask, "20ms", "20ms") // two at once: one for each
			b.ledger.await(t, 1+2*n, "done", napTask)
		}
		order(broker.OrderStop)
		if code := first.exit(t); code != exitOK {
			t.Errorf("exit code %d", code)
		}
		b.process(second, func(p broker.Process) bool { return p.State == broker.ProcessWorking })
	})
}

// A worker that is killed while an operator quiets it: the operator is told that it has
// ended, and what it ran runs elsewhere, each message once more.
func TestKilledWhileQuieted(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		first := b.start(nil, "-queues", "work")
		b.delay(holdTask, "a", "b")
		running := b.process(first, func(p broker.Process) bool { return p.RunningTotal == 2 })
		second := b.start(nil, "-queues", "work")
		other := b.process(second, func(broker.Process) bool { return true })
		first.signal(t, syscall.SIGSTOP) // it hears no order any more
		o := operate.New(b.client.Broker())
		told := make(chan error, 1)
		go func() { told <- o.Command(t.Context(), running, broker.Order{Kind: broker.OrderQuiet}) }()
		first.signal(t, syscall.SIGKILL)
		if err := <-told; !errors.Is(err, operate.ErrNoWorker) {
			t.Errorf("the operator is told %v, want that it has ended", err)
		}
		runs := make(map[string]int)
		for _, e := range b.ledger.await(t, 4, "start", holdTask) {
			runs[e.text]++
			if e.pid == second.cmd.Process.Pid {
				runs[e.text] += 10
			}
		}
		if runs["a"] != 12 || runs["b"] != 12 {
			t.Errorf("runs %v, want each once by both workers", runs)
		}
		if p := b.process(second, func(p broker.Process) bool { return p.RunningTotal == 2 }); p.State != broker.ProcessWorking || p.ID != other.ID {
			t.Errorf("the other worker is %+v", p)
		}
		second.abort(t)
	})
}

// The concurrency of a queue changes while tasks of it run, up and down; and it is of
// one queue only.
func TestChangeConcurrency(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		p := b.start(nil, "-queues", "work=1,other=3")
		all := func(broker.Process) bool { return true }
		b.delay(napTask, "500ms", "501ms", "502ms", "503ms", "504ms", "505ms")
		b.ledger.await(t, 1, "done", napTask)
		o := operate.New(b.client.Broker())
		for _, n := range []int{6, 2} {
			if err := o.Command(t.Context(), b.process(p, all), broker.Order{Kind: broker.OrderConcurrency, Queue: "work", Concurrency: n}); err != nil {
				t.Fatal(err)
			}
			if got := b.process(p, all).Queues; fmt.Sprint(got) != fmt.Sprintf("[{other 3} {work %d}]", n) {
				t.Errorf("queues %v", got)
			}
		}
		b.ledger.await(t, 6, "done", napTask)
		b.delay(napTask, "20ms", "21ms", "22ms", "23ms", "24ms", "25ms")
		b.ledger.await(t, 12, "done", napTask)
		entries, _ := b.ledger.all()
		if n := atOnce(entries[12:]); n > 2 {
			t.Errorf("%d run at once, want 2", n)
		}
		b.delay(holdTask, "a", "b")
		running := b.process(p, func(p broker.Process) bool { return p.RunningTotal == 2 })
		if err := o.Command(t.Context(), running, broker.Order{Kind: broker.OrderConcurrency, Queue: "none", Concurrency: 2}); err == nil {
			t.Error("a queue that the worker does not consume")
		}
		p.abort(t)
	})
}

// atOnce returns how many tasks ran at once.
func atOnce(entries []entry) (most int) {
	running := 0
	for _, e := range entries {
		if e.event == "start" {
			running++
		} else {
			running--
		}
		most = max(most, running)
	}
	return most
}

// While a schedule is paused its ticks are left out, also afterwards; run by an operator
// it runs all the same. A reset is made by whoever may tick.
func TestSteerSchedule(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		env := []string{cronEnv + "=* * * * * *"}
		workers := []*proc{b.start(env, "-queues", "work"), b.start(env, "-queues", "work")}
		o := operate.New(b.client.Broker())
		awaitTicks(t, b, 2)
		var s operate.Schedule
		brokertest.Eventually(t, func() string {
			var err error
			if s, err = o.FindSchedule(t.Context(), "test.Tick"); err != nil || s.Tick.IsZero() || s.Processes != 2 {
				return fmt.Sprintf("schedule %+v, %v", s, err)
			}
			return ""
		})
		if len(s.Next) > 0 || s.Queue != "work" || s.Retries != 3 { // crontab has no seconds
			t.Errorf("schedule %+v", s)
		}
		if err := o.Pause(t.Context(), broker.Pause{What: broker.PauseSchedule, Name: s.Name}); err != nil {
			t.Fatal(err)
		}
		brokertest.Eventually(t, func() string {
			if n := len(leftOut(t, workers)); n < 3 {
				return fmt.Sprintf("%d ticks of a paused schedule are left out", n)
			}
			return ""
		})
		id, err := o.RunSchedule(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		awaitTick(t, b, id)
		if err := o.ResetSchedule(t.Context(), s); err != nil {
			t.Error(err)
		}
		if err := o.Resume(t.Context(), broker.PauseSchedule, s.Name); err != nil {
			t.Fatal(err)
		}
		n := len(awaitTicks(t, b, 0))
		ids := leftOut(t, workers)
		for _, e := range awaitTicks(t, b, n+3) { // it ticks again
			if slices.Contains(ids, e.id) {
				t.Errorf("tick %s was left out, and runs", e.id)
			}
		}
	})
}

var leftOutPattern = regexp.MustCompile(`its tick is left out" .*tick=(\S+)`)

// leftOut returns the ids of the ticks that workers have logged to leave out.
func leftOut(t *testing.T, workers []*proc) (ids []string) {
	t.Helper()
	for _, p := range workers {
		for _, m := range leftOutPattern.FindAllStringSubmatch(p.stderr.String(), -1) {
			tick, err := time.Parse(time.RFC3339, m[1])
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, tickIDOf(tickTask.Name(), tick))
		}
	}
	return ids
}
