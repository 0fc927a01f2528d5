package rabbitmq_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/limit"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq"
)

// lastTick waits until b may tick, and returns the last tick.
func lastTick(t *testing.T, b *rabbitmq.Broker, schedule string) time.Time {
	t.Helper()
	ctx := testContext(t)
	for {
		tick, err := b.LastTick(ctx, schedule)
		if err == nil {
			return tick
		}
		if !errors.Is(err, broker.ErrNotScheduler) {
			t.Fatal(err)
		}
	}
}

// tick ticks a schedule that is due.
func tick(t *testing.T, b *rabbitmq.Broker, schedule string, m *broker.Message) {
	t.Helper()
	last := lastTick(t, b, schedule)
	ticked, err := b.Tick(testContext(t), schedule, last, last.Add(time.Second), m)
	if !ticked || err != nil {
		t.Fatalf("tick: %v, %v", ticked, err)
	}
}

// What holds of Enqueue holds of a tick: its result can be waited for, and what
// cannot be enqueued is refused.
func TestTickAdmitted(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	b := open(t, rabbittest.URL(t))
	m := kept("q")
	tick(t, b, m.Task, m)
	checkPending(t, b, m.ID)
	execute(t, b, "q", 1)
	if err := checkValue(testContext(t), b, m); err != nil {
		t.Error(err)
	}

	last := lastTick(t, b, m.Task)
	long, large := kept("q"), message("q")
	long.Keep = 1000 * time.Hour
	large.SetHeader("h", strings.Repeat("x", 64<<10))
	for _, m := range []*broker.Message{long, large} {
		want := b.Enqueue(testContext(t), m)
		ticked, err := b.Tick(testContext(t), m.Task, last, last.Add(time.Second), m)
		if ticked || err == nil || errText(err) != errText(want) {
			t.Errorf("tick: %v, %v, want %v", ticked, err, want)
		}
	}
	if now := lastTick(t, b, m.Task); !now.Equal(last) {
		t.Errorf("a refused tick counts: %v, want %v", now, last)
	}

	later := message("q")
	later.NotBefore = time.Now().Add(300 * time.Millisecond)
	tick(t, b, m.Task, later)
	d := receive(t, consume(t, b, "q", 1))
	if early := time.Until(later.NotBefore.Truncate(time.Millisecond)); early > 0 {
		t.Errorf("%v early", early)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// Periodic tasks of any name tick, in any namespace, each by itself.
func TestLongNames(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	url := rabbittest.URL(t)
	url = rabbittest.Within(t, url, strings.Repeat("n", limit.MaxNamespace-len(rabbittest.Namespace(t, url))))
	b := open(t, url)
	long := strings.Repeat("l", 80) + "/" + strings.Repeat("ö", 80) // 241 bytes
	names := []string{
		"github.com/acme/shop/mail.Nightly", "github.com/acme/office/mail.Nightly",
		long + ".Nightly1", long + ".Nightly2",
	}
	queue := strings.Repeat("q", broker.MaxQueueName)
	for _, name := range names {
		m := kept(queue)
		m.Task = name
		tick(t, b, name, m)
		tick(t, b, name, m)
	}
	ticked := make(map[string]int)
	settle(t, b, queue, 2*len(names), func(m *broker.Message) broker.Settlement {
		ticked[m.Task]++
		return broker.Settlement{Verdict: broker.Dead}
	})
	for _, name := range names {
		if ticked[name] != 2 {
			t.Errorf("%s: %d messages, want 2", name, ticked[name])
		}
	}
	// Everything else that can be asked for under such names.
	if dead, err := b.DeadLetters(testContext(t), queue, 100); len(dead) != 2*len(names) || err != nil {
		t.Errorf("%d dead letters, %v", len(dead), err)
	}
	delayed := message(queue)
	delayed.NotBefore = time.Now().Add(time.Hour)
	enqueue(t, b, delayed)
	if n, err := b.Purge(testContext(t), queue); n != 1 || err != nil {
		t.Errorf("purged %d, %v, want 1", n, err)
	}
	if err := errors.Join(b.Pause(testContext(t), broker.Pause{What: broker.PauseQueue, Name: queue}), b.Resume(testContext(t), broker.PauseQueue, queue)); err != nil {
		t.Error(err)
	}
}
