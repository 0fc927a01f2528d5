package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq"
)

func TestResults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		test func(t *testing.T, url, namespace string)
	}{
		{"AcrossCut", testResultAcrossCut},
		{"ManyWaiters", testManyWaiters},
		{"FewFences", testFewFences},
		{"NewestFirst", testNewestFirst},
		{"Large", testLargeResults},
		{"Search", testResultSearch},
		{"RetriedDeadLetter", testResultOfRetried},
		{"ReusedID", testResultOfReusedID},
		{"Malformed", testResultOfMalformed},
		{"StreamDeleted", testResultStreamDeleted},
		{"StreamReplaced", testStreamReplaced},
		{"Closed", testResultClosed},
		{"StreamTaken", testStreamTaken},
		{"KeepTooLong", testKeepTooLong},
		{"NoStreamUnasked", testNoStreamUnasked},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			noLeaks(t)
			url := rabbittest.URL(t)
			c.test(t, url, rabbittest.Namespace(t, url))
		})
	}
}

// uuid returns a UUIDv7 of the given time.
func uuid(at time.Time) string {
	ms := fmt.Sprintf("%012x", at.UnixMilli())
	return fmt.Sprintf("%s-%s-7000-8000-%012d", ms[:8], ms[8:], serial.Add(1))
}

// kept returns a message whose outcome is kept.
func kept(queue string) *broker.Message {
	m := message(queue)
	m.ID = uuid(time.Now())
	m.Keep = time.Hour
	return m
}

// execute settles the next n messages of a queue as done, with their ids as
// the values. It returns when that is durable.
func execute(t *testing.T, b broker.Broker, queue string, n int) {
	t.Helper()
	settle(t, b, queue, n, func(m *broker.Message) broker.Settlement {
		return broker.Settlement{Verdict: broker.Done, Result: fmt.Appendf(nil, "%q", m.ID)}
	})
}

func settle(t *testing.T, b broker.Broker, queue string, n int, f func(*broker.Message) broker.Settlement) {
	t.Helper()
	c := consume(t, b, queue, n)
	for range n {
		d := receive(t, c)
		d.Settle(f(d.Message()))
	}
	if err := c.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

// checkValue checks that a message has the outcome that execute gives it.
func checkValue(ctx context.Context, b *rabbitmq.Broker, m *broker.Message) error {
	r, err := b.Result(ctx, m.ID)
	switch {
	case err != nil:
		return fmt.Errorf("result of %s: %w", m.ID, err)
	case r.Failure != nil || r.Task != m.Task || string(r.Value) != fmt.Sprintf("%q", m.ID):
		return fmt.Errorf("result of %s (%s): %s %s %+v", m.ID, m.Task, r.Task, r.Value, r.Failure)
	}
	return nil
}

func checkNoResult(t *testing.T, b *rabbitmq.Broker, id string) {
	t.Helper()
	if r, err := b.Result(testContext(t), id); !errors.Is(err, broker.ErrNoResult) {
		t.Errorf("result of %s: %+v, %v, want ErrNoResult", id, r, err)
	}
}

// checkPending checks that a message has no outcome by now.
func checkPending(t *testing.T, b *rabbitmq.Broker, id string) {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	result := make(chan error, 1)
	go func() {
		r, err := b.Result(ctx, id)
		if err == nil {
			err = fmt.Errorf("an outcome: %+v", r)
		}
		result <- err
	}()
	select {
	case err := <-result:
		t.Errorf("result of %s: %v, want that it waits", id, err)
		return
	case <-time.After(200 * time.Millisecond):
	}
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("result of %s: %v, want the error of the context", id, err)
	}
}

// unwatched returns an empty string once somebody waits for an outcome.
func unwatched(b *rabbitmq.Broker, id string) string {
	if !b.Watched(id) {
		return "nobody waits for the outcome"
	}
	return ""
}

// What comes of a message while the one who waits is cut off is there when it
// is back.
func testResultAcrossCut(t *testing.T, url, _ string) {
	worker := open(t, url)
	proxy, cut := rabbittest.ProxyURL(t, url)
	b := open(t, cut)

	m := kept("work")
	enqueue(t, b, m)
	result := make(chan error, 1)
	go func() { result <- checkValue(testContext(t), b, m) }()
	watched := func() string { return unwatched(b, m.ID) }
	eventually(t, watched)
	proxy.Cut()
	eventually(t, watched) // again
	proxy.Refuse()
	proxy.Cut()
	execute(t, worker, "work", 1)
	select {
	case err := <-result:
		t.Fatalf("the wait has ended while cut off: %v", err)
	default:
	}
	proxy.Resume()
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// Everybody gets the outcome that is his, whenever he begins to wait.
func testManyWaiters(t *testing.T, url, _ string) {
	const messages, waiters = 100, 3
	worker, b := open(t, url), open(t, url)
	ctx := testContext(t)
	var ms []*broker.Message
	results := make(chan error, messages*waiters)
	for range messages {
		m := kept("work")
		ms = append(ms, m)
		go func() { results <- b.Enqueue(ctx, m) }()
	}
	for range messages {
		if err := <-results; err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range ms {
		for range waiters {
			go func() { results <- checkValue(ctx, b, m) }()
		}
	}
	execute(t, worker, "work", messages)
	for range messages * waiters {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if b.Watched(ms[0].ID) {
		t.Error("somebody waits still")
	}
}

// keepMany enqueues messages whose outcomes are kept.
func keepMany(t *testing.T, b *rabbitmq.Broker, n int) []*broker.Message {
	t.Helper()
	ms := make([]*broker.Message, n)
	for i := range ms {
		ms[i] = kept("work")
	}
	for _, err := range b.EnqueueMany(testContext(t), ms) {
		if err != nil {
			t.Fatal(err)
		}
	}
	return ms
}

// records counts the records of each kind in the stream.
func records(t *testing.T, url, namespace string, until int) map[string]int {
	t.Helper()
	ch := rabbittest.Channel(t, url)
	if err := ch.Qos(1000, 0, false); err != nil {
		t.Fatal(err)
	}
	ds, err := ch.ConsumeWithContext(testContext(t), namespace+".results", "", false, false, false, false, amqp.Table{"x-stream-offset": "first"})
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[string]int)
	for kinds["done"] < until {
		d := <-ds
		kind, _ := d.Headers["dtask-record"].(string)
		kinds[kind]++
		d.Ack(false)
	}
	return kinds
}

// However many wait, at once or one after the other, before or after the outcome is
// there, they read the stream together: they leave no fence each.
func testFewFences(t *testing.T, url, namespace string) {
	const n = 300
	worker, b := open(t, url), open(t, url)
	ms := keepMany(t, worker, n)
	results := make(chan error, n)
	for _, m := range ms {
		go func() { results <- checkValue(testContext(t), b, m) }()
	}
	eventually(t, func() string { return unwatched(b, ms[n-1].ID) })
	execute(t, worker, "work", n)
	for range n {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	for _, m := range ms {
		if err := checkValue(testContext(t), b, m); err != nil {
			t.Error(err)
		}
	}
	unknown := make(chan error, n)
	for range n {
		id := uuid(time.Now())
		go func() {
			_, err := b.Result(testContext(t), id)
			unknown <- err
		}()
	}
	for range n {
		if err := <-unknown; !errors.Is(err, broker.ErrNoResult) {
			t.Errorf("result of an unknown id: %v", err)
		}
	}
	last := keepMany(t, worker, 1)
	execute(t, worker, "work", 1)
	if kinds := records(t, url, namespace, n+1); kinds["fence"] > n/5 {
		t.Errorf("the stream holds %v, want few fences", kinds)
	}
	if err := checkValue(testContext(t), b, last[0]); err != nil {
		t.Error(err)
	}
}

// A process that asks for older and older ids reads what is missing, and no more.
func testNewestFirst(t *testing.T, url, _ string) {
	worker, b := open(t, url), open(t, url)
	ms := make([]*broker.Message, 200)
	for i := range ms {
		ms[i] = kept("work")
		ms[i].ID = uuid(time.Now().Add(time.Duration(i-len(ms)) * time.Minute))
	}
	for _, err := range worker.EnqueueMany(testContext(t), ms) {
		if err != nil {
			t.Fatal(err)
		}
	}
	execute(t, worker, "work", len(ms))
	for i := len(ms) - 1; i >= 0; i-- {
		if err := checkValue(testContext(t), b, ms[i]); err != nil {
			t.Error(err)
		}
	}
}

// Values that are too large to be kept in memory are read when they are asked for,
// also many at once.
func testLargeResults(t *testing.T, url, _ string) {
	const n = 40
	worker, b := open(t, url), open(t, url)
	ms := keepMany(t, worker, n)
	value := []byte(`"` + strings.Repeat("x", 100<<10) + `"`)
	settle(t, worker, "work", n, func(*broker.Message) broker.Settlement {
		return broker.Settlement{Verdict: broker.Done, Result: value}
	})
	results := make(chan error, n)
	for _, m := range ms {
		go func() {
			var err error
			for range 2 { // as it passes, and again
				r, failed := b.Result(testContext(t), m.ID)
				if failed != nil || string(r.Value) != string(value) {
					err = fmt.Errorf("result of %s: %d bytes, %v, want %d", m.ID, len(r.Value), failed, len(value))
				}
			}
			results <- err
		}()
	}
	for range n {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

// Without records or with many, wherever the search begins: an id that never
// existed is found out, and one that did is found.
func testResultSearch(t *testing.T, url, _ string) {
	b := open(t, url)
	now := time.Now()
	unknown := []string{"never", uuid(now), uuid(now.Add(-time.Hour)), uuid(now.Add(time.Hour))}
	for _, id := range unknown {
		checkNoResult(t, b, id)
	}
	const records = 1000 // many times the prefetch
	var ms []*broker.Message
	for range records {
		ms = append(ms, kept("work"))
	}
	ms[0].ID = "my own id/7"
	ms[1].ID = uuid(now.Add(-time.Hour)) // made long before it was enqueued
	ms[2].ID = uuid(now.Add(time.Hour))  // by a clock that is wrong
	ms[3].ID = strings.Repeat("x", broker.MaxIDSize)
	for _, err := range b.EnqueueMany(testContext(t), ms) {
		if err != nil {
			t.Fatal(err)
		}
	}
	execute(t, b, "work", records)
	for _, m := range append(ms[:5:5], ms[records-1]) {
		if err := checkValue(testContext(t), b, m); err != nil {
			t.Error(err)
		}
	}
	for _, id := range unknown {
		checkNoResult(t, b, id)
	}
}

// A dead letter that is retried is on its way again.
func testResultOfRetried(t *testing.T, url, _ string) {
	b := open(t, url)
	m := kept("work")
	enqueue(t, b, m)
	settle(t, b, "work", 1, func(m *broker.Message) broker.Settlement {
		m.Failures = []broker.Failure{{Attempt: 1, Error: "first"}, {Attempt: 2, Kind: broker.FailurePanic, Error: "last", Stack: "goroutine 1"}}
		return broker.Settlement{Verdict: broker.Dead}
	})
	r, err := b.Result(testContext(t), m.ID)
	if err != nil || r.Task != m.Task || r.Failure == nil {
		t.Fatalf("result of a dead letter: %+v, %v", r, err)
	}
	if f := *r.Failure; f.Attempt != 2 || f.Kind != broker.FailurePanic || f.Error != "last" || f.Stack != "goroutine 1" {
		t.Errorf("the failure kept is %+v", f)
	}
	if n, err := b.RetryDead(testContext(t), "work"); n != 1 || err != nil {
		t.Fatalf("retried %d dead letters, %v", n, err)
	}
	checkPending(t, b, m.ID)
	execute(t, b, "work", 1)
	if err := checkValue(testContext(t), b, m); err != nil {
		t.Error(err)
	}
}

// An id of the user's own can be used again: its newest task is the one that
// counts.
func testResultOfReusedID(t *testing.T, url, _ string) {
	b := open(t, url)
	m := kept("work")
	m.ID = "nightly"
	for range 2 {
		enqueue(t, b, m)
		checkPending(t, b, m.ID)
		execute(t, b, "work", 1)
		if err := checkValue(testContext(t), b, m); err != nil {
			t.Error(err)
		}
	}
}

// A message that no worker can read has an outcome all the same.
func testResultOfMalformed(t *testing.T, url, namespace string) {
	b := open(t, url)
	consume(t, b, "work", 1)
	ch := rabbittest.Channel(t, url)
	if err := ch.PublishWithContext(testContext(t), "", namespace+".queue.work", true, false, amqp.Publishing{
		MessageId: "bad", Type: "pkg.Task", Headers: amqp.Table{"dtask-attempt": "two", "dtask-keep": int64(60_000)},
	}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		r, err := b.Result(testContext(t), "bad")
		if err != nil || r.Failure == nil || !strings.Contains(r.Failure.Error, "malformed") {
			return fmt.Sprintf("result of a malformed message: %+v, %v", r.Failure, err)
		}
		return ""
	})
}

// Who waits while the stream is deleted is told that there is no result, and
// the next message has one.
func testResultStreamDeleted(t *testing.T, url, namespace string) {
	b := open(t, url)
	m := kept("work")
	enqueue(t, b, m)
	result := make(chan error, 1)
	go func() { result <- checkValue(testContext(t), b, m) }()
	eventually(t, func() string { return unwatched(b, m.ID) })
	if _, err := rabbittest.Channel(t, url).QueueDelete(namespace+".results", false, false, false); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, broker.ErrNoResult) {
		t.Errorf("result after the stream was deleted: %v, want ErrNoResult", err)
	}
	next := kept("work")
	enqueue(t, b, next)
	execute(t, b, "work", 2)
	if err := checkValue(testContext(t), b, next); err != nil {
		t.Error(err)
	}
}

// A stream that was deleted while nobody looked, and declared again, is another one:
// what was known of the old one is not gone on with.
func testStreamReplaced(t *testing.T, url, namespace string) {
	worker := open(t, url)
	proxy, cut := rabbittest.ProxyURL(t, url)
	b := open(t, cut)
	known := keepMany(t, worker, 50)
	execute(t, worker, "work", len(known))
	for _, m := range known {
		if err := checkValue(testContext(t), b, m); err != nil {
			t.Fatal(err)
		}
	}
	proxy.Refuse()
	proxy.Cut()
	if _, err := rabbittest.Channel(t, url).QueueDelete(namespace+".results", false, false, false); err != nil {
		t.Fatal(err)
	}
	var ms []*broker.Message
	eventually(t, func() string { // the first records of the new stream may fail with the old one
		m := kept("work")
		if err := worker.Enqueue(testContext(t), m); err != nil {
			return err.Error()
		}
		ms = append(ms, m)
		return ""
	})
	execute(t, worker, "work", len(ms))
	proxy.Resume()
	if err := checkValue(testContext(t), b, ms[len(ms)-1]); err != nil {
		t.Error(err)
	}
	checkNoResult(t, b, uuid(time.Now()))
}

func testKeepTooLong(t *testing.T, url, _ string) {
	b := open(t, url)
	long := kept("work")
	long.Keep = 8 * 24 * time.Hour
	const want = "keep 192h0m0s: RabbitMQ keeps results for 168h0m0s at most"
	if err := b.Enqueue(testContext(t), long); err == nil || err.Error() != want {
		t.Errorf("Enqueue: %v, want %s", err, want)
	}
	errs := b.EnqueueMany(testContext(t), []*broker.Message{kept("work"), long, message("work")})
	if errs[0] != nil || errs[1] == nil || errs[1].Error() != want || errs[2] != nil {
		t.Errorf("EnqueueMany: %v, want an error for the second", errs)
	}
	execute(t, b, "work", 2)
}

// Who waits when the broker is closed is told so.
func testResultClosed(t *testing.T, url, _ string) {
	b := open(t, url)
	m := kept("work")
	enqueue(t, b, m)
	result := make(chan error, 1)
	go func() { result <- checkValue(testContext(t), b, m) }()
	eventually(t, func() string { return unwatched(b, m.ID) })
	b.Close()
	if err := <-result; !errors.Is(err, broker.ErrClosed) {
		t.Errorf("result after Close: %v, want ErrClosed", err)
	}
}

// A stream that cannot be used is an error of those who keep something only.
func testStreamTaken(t *testing.T, url, namespace string) {
	b := open(t, url)
	if _, err := rabbittest.Channel(t, url).QueueDeclare(namespace+".results", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	want := "queue " + namespace + ".results exists with another argument"
	if err := b.Enqueue(testContext(t), kept("work")); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Enqueue: %v, want %s", err, want)
	}
	if _, err := b.Result(testContext(t), "id"); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("Result: %v, want %s", err, want)
	}
	enqueue(t, b, message("work"))
	execute(t, b, "work", 1)
}

// Who keeps nothing has no stream.
func testNoStreamUnasked(t *testing.T, url, namespace string) {
	b := open(t, url)
	enqueue(t, b, message("work"))
	execute(t, b, "work", 1)
	_, err := rabbittest.Channel(t, url).QueueDeclarePassive(namespace+".results", true, false, false, false, nil)
	var e *amqp.Error
	if !errors.As(err, &e) || e.Code != amqp.NotFound {
		t.Errorf("the stream of results: %v, want that it does not exist", err)
	}
}
