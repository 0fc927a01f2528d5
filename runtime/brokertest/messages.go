package brokertest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// sameTimes truncates the times of a message to what every broker keeps.
func sameTimes(m *broker.Message) *broker.Message {
	c := *m
	for _, t := range []*time.Time{&c.EnqueuedAt, &c.NotBefore, &c.Expires, &c.HandedBackSince} {
		if !t.IsZero() {
			*t = t.Truncate(time.Millisecond).UTC()
		}
	}
	return &c
}

// Every field of a message arrives as it was sent.
func testRoundTrip(t *testing.T, store Store) {
	b := open(t, store(t))
	now := time.Now()
	m := Message("mail")
	m.Task = "internal/mail.(Größe).Send"
	m.Body = []byte(`{"to":"ü\u0000\n","n":9223372036854775807,"x":"` + strings.Repeat("y", 100_000) + `"}`)
	m.Priority = broker.PriorityHigh
	m.Attempt, m.Attempts = 3, 9
	m.NotBefore = now.Add(-time.Second)
	m.Expires = now.Add(time.Hour)
	m.Headers = map[string]string{"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "Tenant": "größe, \"7\"", "CC": "c", "BCC": "b"}
	m.Failures = []broker.Failure{
		{Attempt: 1, At: now.UTC(), Error: "dial: \x00 refused\nreally"},
		{Attempt: 2, At: now.UTC(), Error: "again", Stack: "goroutine 1"},
	}
	m.HandedBack, m.HandedBackSince = 2, now.Add(-time.Minute)
	Enqueue(t, b, m)

	c := Consume(t, b, "mail", 1)
	d := Receive(t, c)
	got, want := sameTimes(d.Message()), sameTimes(m)
	got.NotBefore, want.NotBefore = time.Time{}, time.Time{} // past: of no meaning any more
	if !reflect.DeepEqual(got, want) {
		t.Errorf("delivered\n%+v, want\n%+v", got, want)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// A message with nothing but what Validate asks for arrives as it is.
func testMinimalMessage(t *testing.T, store Store) {
	b := open(t, store(t))
	m := &broker.Message{ID: "my own id/7", Task: "t", Queue: "q", Attempt: 1, Attempts: 1, EnqueuedAt: time.Now()}
	Enqueue(t, b, m)
	d := Receive(t, Consume(t, b, "q", 1))
	got := d.Message()
	if got.ID != m.ID || got.Task != "t" || got.Queue != "q" || len(got.Body) != 0 || got.Schema != "" ||
		got.Attempt != 1 || got.Attempts != 1 || !got.Expires.IsZero() || len(got.Headers) != 0 || len(got.Failures) != 0 {
		t.Errorf("delivered %+v, want %+v", got, m)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// What was enqueued is there after the broker object is gone.
func testDurable(t *testing.T, store Store) {
	url := store(t)
	first := openURL(t, url)
	m := Enqueue(t, first, Message("q"))[0]
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	b := open(t, url)
	d := Receive(t, Consume(t, b, "q", 1))
	if d.Message().ID != m.ID {
		t.Errorf("delivered %s, want %s", d.Message().ID, m.ID)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

func testQueuesAreSeparate(t *testing.T, store Store) {
	b := open(t, store(t))
	a, z := Consume(t, b, "q.a", 5), Consume(t, b, "q.z", 5)
	ma, mz := Message("q.a"), Message("q.z")
	Enqueue(t, b, mz, ma)
	for c, want := range map[broker.Consumer]*broker.Message{a: ma, z: mz} {
		d := Receive(t, c)
		if d.Message().ID != want.ID || d.Message().Queue != want.Queue {
			t.Errorf("consumer of %s got %s of %s", want.Queue, d.Message().ID, d.Message().Queue)
		}
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
}

// A delayed message is never early, and holds nobody up.
func testNotBefore(t *testing.T, store Store) {
	b := open(t, store(t))
	c := Consume(t, b, "q", 5)
	delays := []time.Duration{2500 * time.Millisecond, 700 * time.Millisecond, 1100 * time.Millisecond}
	due := make(map[string]time.Time)
	for _, d := range delays {
		m := Message("q")
		m.NotBefore = time.Now().Add(d)
		due[m.ID] = m.NotBefore
		Enqueue(t, b, m)
	}
	now := Enqueue(t, b, Message("q"))[0]
	if d := Receive(t, c); d.Message().ID != now.ID {
		t.Errorf("a delayed message came first: %s", d.Message().ID)
	} else {
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	for range delays {
		d := Receive(t, c)
		id := d.Message().ID
		notBefore, ok := due[id]
		if !ok {
			t.Fatalf("%s delivered twice, or never enqueued", id)
		}
		// Brokers keep milliseconds.
		if early := time.Until(notBefore.Truncate(time.Millisecond)); early > 0 {
			t.Errorf("%s is %v early", id, early)
		}
		delete(due, id)
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
}

// Several callers enqueue batches at once, together more than a broker has on its way
// at a time: each message is delivered once.
func testEnqueueMany(t *testing.T, store Store) {
	b := open(t, store(t))
	const callers, size = 3, 1100
	want := make(map[string]bool)
	var enqueuing sync.WaitGroup
	for range callers {
		ms := make([]*broker.Message, size)
		for i := range ms {
			ms[i] = Message("q")
			want[ms[i].ID] = true
		}
		enqueuing.Go(func() {
			errs := b.EnqueueMany(Context(t), ms)
			if len(errs) != len(ms) {
				t.Errorf("%d outcomes for %d messages", len(errs), len(ms))
			}
			if err := errors.Join(errs...); err != nil {
				t.Error(err)
			}
		})
	}
	enqueuing.Wait()
	if t.Failed() {
		return
	}
	c := Consume(t, b, "q", 50)
	for range callers * size {
		d := Receive(t, c)
		if !want[d.Message().ID] {
			t.Fatalf("%s delivered twice, or never enqueued", d.Message().ID)
		}
		delete(want, d.Message().ID)
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	if errs := b.EnqueueMany(Context(t), nil); len(errs) != 0 {
		t.Errorf("outcomes of an empty batch: %v", errs)
	}
}

// Two brokers on one store, many callers, several consumers: each message is
// delivered once.
func testExactlyOnce(t *testing.T, store Store) {
	url := store(t)
	brokers := []broker.Broker{open(t, url), open(t, url)}
	const callers, each = 16, 50

	var mu sync.Mutex
	seen := make(map[string]int)
	all := make(chan struct{})
	var consumers sync.WaitGroup
	defer consumers.Wait() // after all of them are stopped
	for _, b := range brokers {
		c := Consume(t, b, "q", 10)
		for range 10 {
			consumers.Go(func() {
				for d := range c.Deliveries() {
					mu.Lock()
					seen[d.Message().ID]++
					if len(seen) == callers*each && seen[d.Message().ID] == 1 {
						close(all)
					}
					mu.Unlock()
					d.Settle(broker.Settlement{Verdict: broker.Done})
				}
			})
		}
		defer c.Stop()
	}
	var enqueuers sync.WaitGroup
	for i := range callers {
		enqueuers.Go(func() {
			for range each {
				if err := brokers[i%2].Enqueue(Context(t), Message("q")); err != nil {
					t.Errorf("enqueue: %v", err)
				}
			}
		})
	}
	enqueuers.Wait()
	select {
	case <-all:
	case <-time.After(Patience):
		mu.Lock()
		t.Errorf("%d of %d messages delivered", len(seen), callers*each)
		mu.Unlock()
		return
	}
	mu.Lock()
	defer mu.Unlock()
	for id, n := range seen {
		if n > 1 {
			t.Errorf("%s delivered %d times", id, n)
		}
	}
}

// An enqueue whose context has ended fails, and does not hang.
func testEnqueueCancelled(t *testing.T, store Store) {
	b := open(t, store(t))
	ctx, cancel := context.WithCancel(Context(t))
	cancel()
	if err := b.Enqueue(ctx, Message("q")); !errors.Is(err, context.Canceled) && !errors.Is(err, broker.ErrUnknownOutcome) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	for i, err := range b.EnqueueMany(ctx, []*broker.Message{Message("q"), Message("q")}) {
		if !errors.Is(err, context.Canceled) && !errors.Is(err, broker.ErrUnknownOutcome) {
			t.Errorf("error %d is %v, want context.Canceled", i, err)
		}
	}
}

// With IgnoreDuplicate a Delay is refused where the broker cannot tell duplicates.
func testIgnoreDuplicateUnsupported(t *testing.T, store Store) {
	b := open(t, store(t))
	if has[broker.Deduplicator](b) {
		return // it can: see testIgnoreDuplicate
	}
	ctx := dtask.NewContext(Context(t), dtask.NewClient(b))
	if _, err := double.Delay(ctx, doubleArgs{0}, dtask.ID("one"), dtask.IgnoreDuplicate()); !errors.Is(err, dtask.ErrUnsupported) {
		t.Errorf("Delay says %v where the broker cannot tell duplicates, want ErrUnsupported", err)
	}
	Drained(t, b, Consume(t, b, "work", 1), "work")
}

// With IgnoreDuplicate a Delay can be repeated: no error, and the task runs once,
// with the id that was given.
func testIgnoreDuplicate(t *testing.T, store Store) {
	b := open(t, store(t))
	ctx := dtask.NewContext(Context(t), dtask.NewClient(b))
	for n := range 2 {
		h, err := double.Delay(ctx, doubleArgs{n}, dtask.ID("one"), dtask.IgnoreDuplicate())
		if err != nil || h.ID != "one" {
			t.Errorf("handle of %q, error %v", h.ID, err)
		}
	}
	handles, err := dtask.DelayMany(ctx, double, []doubleArgs{{2}, {3}}, dtask.ID("one"), dtask.IgnoreDuplicate())
	if err != nil || len(handles) != 2 {
		t.Errorf("many: handles %v, error %v", handles, err)
	}
	c := Consume(t, b, "work", 1)
	d := Receive(t, c)
	if m := d.Message(); m.ID != "one" || string(m.Body) != `{"n":0}` {
		t.Errorf("delivered %s with %s, want one with the arguments of the first", m.ID, m.Body)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// A transaction that is not the broker's is refused: the message would stay if
// it is rolled back.
func testForeignTransaction(t *testing.T, store Store) {
	b := open(t, store(t))
	ctx := dtask.NewContext(broker.WithTransaction(Context(t), "a transaction of nobody"), dtask.NewClient(b))
	if _, err := double.Delay(ctx, doubleArgs{1}); !errors.Is(err, dtask.ErrTransaction) {
		t.Errorf("Delay: error %v, want ErrTransaction", err)
	}
	_, err := dtask.DelayMany(ctx, double, []doubleArgs{{2}, {3}})
	var batch *dtask.BatchError
	if !errors.As(err, &batch) || !errors.Is(batch.Errs[0], dtask.ErrTransaction) || !errors.Is(batch.Errs[1], dtask.ErrTransaction) {
		t.Errorf("DelayMany: error %v, want ErrTransaction for each", err)
	}
	Drained(t, b, Consume(t, b, "work", 1), "work")
}

// A transaction that is not of the broker's database is refused for each message.
func testTransactorForeign(t *testing.T, store Store) {
	b := open(t, store(t))
	errs := as[broker.Transactor](t, b).EnqueueTx(Context(t), "a transaction of nobody", []*broker.Message{Message("q"), Message("q")})
	if len(errs) != 2 || !errors.Is(errs[0], broker.ErrTransaction) || !errors.Is(errs[1], broker.ErrTransaction) {
		t.Errorf("errors %v, want ErrTransaction for each", errs)
	}
	Drained(t, b, Consume(t, b, "q", 1), "q")
}

func testClosed(t *testing.T, store Store) {
	b := openURL(t, store(t))
	c, err := b.Consume(Context(t), broker.ConsumeOptions{Queue: "q", Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	closeConsumer(t, c)
	closeConsumer(t, c) // twice is fine
	if d, ok := <-c.Deliveries(); ok {
		t.Errorf("delivery %v after Close", d.Message())
	}
	for range 2 {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := b.Enqueue(Context(t), Message("q")); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("Enqueue after Close: %v, want ErrClosed", err)
	}
	if _, err := b.Consume(Context(t), broker.ConsumeOptions{Queue: "q", Concurrency: 1}); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("Consume after Close: %v, want ErrClosed", err)
	}
}

// The weighted pick takes more of the higher classes and some of the lowest.
func testPriorities(t *testing.T, store Store) {
	b := open(t, store(t))
	const each = 100
	for range each {
		for _, p := range []broker.Priority{broker.PriorityLow, broker.PriorityDefault, broker.PriorityHigh} {
			m := Message("q")
			m.Priority = p
			Enqueue(t, b, m)
		}
	}
	c := Consume(t, b, "q", 1)
	count := make(map[broker.Priority]int)
	for i := range 3 * each {
		d := Receive(t, c)
		count[d.Message().Priority]++
		time.Sleep(time.Millisecond) // the task: there is to be something to choose from
		d.Settle(broker.Settlement{Verdict: broker.Done})
		if i == 3*each/2 {
			got := fmt.Sprintf("high %d, default %d, low %d", count[broker.PriorityHigh], count[broker.PriorityDefault], count[broker.PriorityLow])
			if count[broker.PriorityHigh] <= count[broker.PriorityDefault] || count[broker.PriorityDefault] <= count[broker.PriorityLow] {
				t.Errorf("the higher class does not come first: of the first half %s", got)
			}
			if count[broker.PriorityLow] == 0 {
				t.Errorf("the low class starves: of the first half %s", got)
			}
		}
	}
	for p, n := range count {
		if n != each {
			t.Errorf("%d messages of class %v, want %d", n, p, each)
		}
	}
}
