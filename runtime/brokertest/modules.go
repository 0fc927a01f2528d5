package brokertest

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// A service is one of two that have the same package, function and signature,
// and share a broker.
type service struct {
	*testing.T
	client *dtask.Client
	task   dtask.Task[noteArgs, dtask.None]
	ran    chan string
}

func newService(t *testing.T, url, module string) *service {
	return &service{
		T:      t,
		client: dtask.NewClient(open(t, url)),
		task: dtask.Define[noteArgs, dtask.None](module+"/mail.Send", dtask.Spec{
			Queue: "work", Backoff: time.Millisecond, Module: module, Schema: "text string", Cron: "* * * * *",
		}),
		ran: make(chan string, 100),
	}
}

func (s *service) bound() dtask.BoundTask {
	return bind(s.task, func(_ context.Context, text string) error { s.ran <- text; return nil })
}

func (s *service) delay(text string, n int) {
	s.Helper()
	args := make([]noteArgs, n)
	for i := range args {
		args[i].Text = text
	}
	if _, err := dtask.DelayMany(dtask.NewContext(Context(s.T), s.client), s.task, args); err != nil {
		s.Fatal(err)
	}
}

// work runs a worker of the service until stop is called, or the test ends. It
// returns the worker's log.
func (s *service) work() (w *dtask.Worker, log *lockedBuffer, stop func()) {
	s.Helper()
	log = new(lockedBuffer)
	w, err := dtask.NewWorker(s.client, dtask.WorkerConfig{Logger: slog.New(slog.NewTextHandler(log, nil)), Scheduled: true}, dtask.Table{s.bound()})
	if err != nil {
		s.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			s.Errorf("worker: %v", err)
		}
	})
	stop = func() { cancel(); running.Wait() }
	s.Cleanup(stop)
	return w, log, stop
}

// runs checks that the service runs n messages, all of them with the text.
func (s *service) runs(text string, n int) {
	s.Helper()
	for range n {
		select {
		case got := <-s.ran:
			if got != text {
				s.Errorf("the service of %s ran a message of %s", text, got)
			}
		case <-time.After(Patience):
			s.Fatalf("the service of %s waits for its messages", text)
		}
	}
}

// lockedBuffer is a buffer for a log.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Two services on one queue run their own messages, hand back the others, and
// say what to do about it. The first one stops before the other one starts: while
// both run, a message may be handed back many times, each time for longer.
func testModulesOnOneQueue(t *testing.T, store Store) {
	url := store(t)
	shop, bank := newService(t, url, "example.com/shop"), newService(t, url, "example.org/bank")
	const each = 5
	shop.delay("shop", each)
	bank.delay("bank", each)

	worker, log, stop := shop.work()
	shop.runs("shop", each)
	Eventually(t, func() string {
		if worker.Stats().HandedBack < each {
			return "the messages of the other service are not handed back"
		}
		return ""
	})
	for _, want := range []string{"example.org/bank/mail.Send", "example.com/shop", `queue \"work\"`, "?namespace="} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not say %s:\n%s", want, log)
		}
	}
	stop()
	bank.work()
	bank.runs("bank", each)
}

// Two services with a namespace each never meet.
func testModulesWithNamespaces(t *testing.T, store Store) {
	url := store(t)
	shop := newService(t, inNamespace(t, url, "shop"), "example.com/shop")
	bank := newService(t, inNamespace(t, url, "bank"), "example.org/bank")
	const each = 20
	shop.delay("shop", each)
	bank.delay("bank", each)
	for _, s := range []*service{shop, bank} {
		w, log, _ := s.work()
		defer func() {
			if n := w.Stats().HandedBack; n > 0 || strings.Contains(log.String(), "namespace") {
				t.Errorf("%d messages of the other namespace arrived:\n%s", n, log)
			}
		}()
	}
	shop.runs("shop", each)
	bank.runs("bank", each)
}

// inNamespace returns the URL with a namespace, below the one that it has.
func inNamespace(t *testing.T, raw, name string) string {
	t.Helper()
	place, query, _ := strings.Cut(raw, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	values.Set("namespace", values.Get("namespace")+name)
	return place + "?" + values.Encode()
}

// Two services with the same periodic task each get all their ticks.
func testModulesPeriodic(t *testing.T, store Store) {
	url := store(t)
	shop, bank := newService(t, url, "example.com/shop"), newService(t, url, "example.org/bank")
	start := time.Now().Truncate(time.Minute)
	const ticks = 3
	for _, s := range []*service{shop, bank} {
		b := open(t, url)
		if last := lastTick(t, b, s.task.Name()); !last.IsZero() {
			t.Errorf("%s has ticked at %v", s.task.Name(), last)
		}
		tick(t, b, s.task.Name(), time.Time{}, start, nil)
		client := dtask.NewClient(b)
		for i := range time.Duration(ticks) {
			_, ticked, err := client.Tick(Context(t), s.bound(), start.Add(i*time.Minute), start.Add((i+1)*time.Minute))
			if !ticked || err != nil {
				t.Errorf("tick %d of %s: %v, %v", i+1, s.task.Name(), ticked, err)
			}
		}
	}
	arrived := make(map[string]int)
	c := Consume(t, open(t, url), "work", 1)
	for range 2 * ticks {
		d := Receive(t, c)
		arrived[d.Message().Task]++
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	if want := map[string]int{shop.task.Name(): ticks, bank.task.Name(): ticks}; !maps.Equal(arrived, want) {
		t.Errorf("messages of ticks: %v, want %v", arrived, want)
	}
}
