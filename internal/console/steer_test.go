package console

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// A worker is in the registry, and obeys orders, as a worker process does.
type worker struct {
	mu      sync.Mutex
	process broker.Process
	again   chan struct{}
}

// live makes two workers, web1:4711 and web2:4712, of which only the first has a
// schedule.
func live(t *testing.T, url string) (first, second *worker) {
	b := openBroker(t, url)
	t.Cleanup(func() { b.Close() })
	tasks := []broker.ProcessTask{
		{Name: "acme.org/shop/mail.Digest", Schema: "5ca1ab1e", Queue: "mail", Secrets: []string{"to string, secret"}},
		{Name: "acme.org/shop/mail.Send", Schema: "5ca1ab1e", Queue: "mail", Secrets: []string{}},
	}
	schedules := []broker.ProcessSchedule{{Name: "acme.org/shop/mail.PurgeBounces", Cron: "0 3 * * *", Queue: "mail", Schema: "p1", Retries: 2}}
	first = newWorker(t, b, broker.Process{ID: "AAAA1", Host: "web1", PID: 4711, Tasks: tasks, Queues: []broker.ProcessQueue{{Name: "mail", Concurrency: 10}}, Schedules: schedules})
	second = newWorker(t, b, broker.Process{ID: "BBBB2", Host: "web2", PID: 4712, Tasks: tasks, Queues: []broker.ProcessQueue{{Name: "images", Concurrency: 5}, {Name: "mail", Concurrency: 10}}})
	return first, second
}

func newWorker(t *testing.T, b broker.Broker, p broker.Process) *worker {
	t.Helper()
	p.State, p.Started = broker.ProcessWorking, time.Now()
	w := &worker{process: p, again: make(chan struct{}, 1)}
	announce := func() {
		if _, err := b.(broker.Registry).Announce(brokertest.Context(t), w.now()); err != nil {
			t.Errorf("announce: %v", err)
		}
	}
	if err := b.(broker.Commander).Orders(t.Context(), p.ID, w.obey); err != nil {
		t.Fatal(err)
	}
	announce()
	var announcing sync.WaitGroup
	ended := make(chan struct{})
	announcing.Go(func() {
		for {
			select {
			case <-w.again:
			case <-time.After(time.Second):
			case <-ended:
				return
			}
			announce()
		}
	})
	t.Cleanup(func() { close(ended); announcing.Wait() })
	return w
}

func (w *worker) now() broker.Process {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.process
	p.Queues, p.Schedules = slices.Clone(p.Queues), slices.Clone(p.Schedules)
	return p
}

func (w *worker) obey(o broker.Order) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch p := &w.process; o.Kind {
	case broker.OrderQuiet:
		p.State = broker.ProcessQuiet
	case broker.OrderResume:
		p.State = broker.ProcessWorking
	case broker.OrderStop:
		p.State = broker.ProcessStopping
	case broker.OrderConcurrency:
		for i := range p.Queues {
			if p.Queues[i].Name == o.Queue {
				p.Queues[i].Concurrency = o.Concurrency
			}
		}
	case broker.OrderReset:
		p.Schedules[0].Tick = time.Now().Add(-4 * time.Minute) // its clock is late
	}
	select {
	case w.again <- struct{}{}:
	default:
	}
}

// Orders reach the workers that are meant, and what is misspelt reaches none.
func TestSteer(t *testing.T) {
	onBrokers(t, func(t *testing.T, url string, _ []string) {
		first, second := live(t, url)
		for _, c := range []struct {
			args []any
			code int
			says string
		}{
			{[]any{"workers", "quiet", "web1:4711"}, exitUsage, "1 worker to be quiet; add --yes"},
			{[]any{"workers", "quiet", "web1:4712", "--yes"}, exitNothing, "did you mean web"},
			{[]any{"workers", "quiet", "web", "--yes"}, exitFailed, "web1:4711, web2:4712"},
			{[]any{"workers", "quiet", "--yes"}, exitUsage, "--all"},
			{[]any{"workers", "quiet", "web1", "--yes"}, exitOK, "1 worker quiet"},
			{[]any{"workers", "stop", "BB", "--yes"}, exitOK, "1 worker stopping"},
			{[]any{"workers", "resume", "--all", "--yes"}, exitOK, "2 workers fetching"},
			{[]any{"queue", "concurrency", "mail", "3", "--yes"}, exitOK, "2 workers running 3 of mail"},
			{[]any{"queue", "concurrency", "mail", "4", "--worker", "web2:4712", "--yes"}, exitOK, "1 worker"},
			{[]any{"queue", "concurrency", "mail", "0", "--yes"}, exitUsage, "pause the queue"},
			{[]any{"queue", "concurrency", "mial", "2", "--yes"}, exitNothing, "no such worker"},
			{[]any{"task", "pause", "mail.Sned"}, exitNothing, "did you mean mail.Send?"},
			{[]any{"schedules", "run", "mail.PurgeBounce"}, exitNothing, "did you mean mail.PurgeBounces?"},
			{[]any{"queue", "pause", "mail", "--for", "1m", "--until", "10:00"}, exitUsage, "one of them"},
			{[]any{"queue", "pause", "mail", "--until", "2020-01-01 10:00"}, exitUsage, "over"},
			{[]any{"queue", "pause", "mail", "--until", "soon"}, exitUsage, "use a time"},
			{[]any{"queue", "pause", "mail", "--for", "10m"}, exitOK, "queue mail is paused until "},
		} {
			r := dtask(t, url, c.args...)
			r.want(t, c.code)
			if !strings.Contains(r.err, c.says) {
				t.Errorf("%v: %s, want %q", c.args, r.err, c.says)
			}
		}
		if p, q := first.now(), second.now(); p.State != broker.ProcessWorking || q.State != broker.ProcessWorking || p.Queues[0].Concurrency != 3 || q.Queues[0].Concurrency != 5 || q.Queues[1].Concurrency != 4 {
			t.Errorf("workers %+v and %+v", p, q)
		}
		if r := dtask(t, url, "queues"); !strings.Contains(r.out, "paused until ") {
			t.Errorf("queues: %s", r.out)
		}
		if r := dtask(t, url, "schedules", "-o", "csv"); !strings.Contains(r.out, "acme.org/shop/mail.PurgeBounces,0 3 * * *,mail,,") || strings.Count(r.out, "T03:00:00Z") != 5 {
			t.Errorf("schedules: %s", r.out)
		}
	})
}
