package brokertest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// died enqueues n messages, moves them to the dead letters, and returns their ids.
func died(t *testing.T, b broker.Broker, queue string, n int) []string {
	t.Helper()
	c := Consume(t, b, queue, 1)
	var ids []string
	for range n {
		Enqueue(t, b, Message(queue))
		d := Receive(t, c)
		m := d.Message()
		m.Failures = append(m.Failures, broker.Failure{Attempt: m.Attempt, At: time.Now(), Error: "failed " + m.ID})
		m.Attempt = m.Attempts
		ids = append(ids, m.ID)
		d.Settle(broker.Settlement{Verdict: broker.Dead})
	}
	closeConsumer(t, c)
	return ids
}

func testRetryDead(t *testing.T, store Store) {
	b := open(t, store(t))
	ids := died(t, b, "q", 5)
	for i, m := range deadLetters(t, b, "q", 5) {
		if m.ID != ids[i] {
			t.Errorf("dead letter %d is %s, want the oldest first: %s", i, m.ID, ids[i])
		}
	}
	if dead, err := admin(t, b).DeadLetters(Context(t), "q", 2); err != nil || len(dead) != 2 || dead[0].ID != ids[0] {
		t.Errorf("DeadLetters with limit 2: %d letters, error %v", len(dead), err)
	}
	if n, err := admin(t, b).RetryDead(Context(t), "q", ids[3], "no such id"); n != 1 || err != nil {
		t.Errorf("RetryDead of one: %d, %v", n, err)
	}
	c := Consume(t, b, "q", 1)
	d := Receive(t, c)
	if m := d.Message(); m.ID != ids[3] || m.Attempt != 1 || len(m.Failures) != 1 || m.Failures[0].Error != "failed "+ids[3] {
		t.Errorf("retried message %+v, want %s at attempt 1 with its failure", m, ids[3])
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
	deadLetters(t, b, "q", 4)

	if n, err := admin(t, b).RetryDead(Context(t), "q"); n != 4 || err != nil {
		t.Errorf("RetryDead of all: %d, %v", n, err)
	}
	for range 4 {
		Receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	}
	deadLetters(t, b, "q", 0)
	Drained(t, b, c, "q")

	expired := Message("q") // wanted all the same
	expired.Expires = time.Now().Add(-time.Second)
	Enqueue(t, b, expired)
	Receive(t, c).Settle(broker.Settlement{Verdict: broker.Dead})
	deadLetters(t, b, "q", 1)
	if n, err := admin(t, b).RetryDead(Context(t), "q", expired.ID); n != 1 || err != nil {
		t.Errorf("RetryDead of one that has expired: %d, %v", n, err)
	}
	d = Receive(t, c)
	if m := d.Message(); m.ID != expired.ID || !m.Expires.IsZero() {
		t.Errorf("delivered %+v, want %s without its time", m, expired.ID)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})

	if n, err := admin(t, b).RetryDead(Context(t), "unused"); n != 0 || err != nil {
		t.Errorf("RetryDead of a queue without any: %d, %v", n, err)
	}
}

// What is retried and fails at once is retried once, and RetryDead ends.
func testRetryDeadFailing(t *testing.T, store Store) {
	const n = 5000
	b := open(t, store(t))
	c := Consume(t, b, "q", 50)
	var mu sync.Mutex
	runs := make(map[string]int)
	var dying sync.WaitGroup
	dying.Go(func() {
		for d := range c.Deliveries() {
			mu.Lock()
			runs[d.Message().ID]++
			mu.Unlock()
			d.Settle(broker.Settlement{Verdict: broker.Dead})
		}
	})
	enqueueMany(t, b, n)
	dead := func() string {
		if s := State(t, b, "q"); s.Dead != n {
			return fmt.Sprintf("state %+v, want %d dead", s, n)
		}
		return ""
	}
	Eventually(t, dead)
	if retried, err := admin(t, b).RetryDead(Context(t), "q"); retried != n || err != nil {
		t.Errorf("RetryDead of all: %d, %v, want %d", retried, err, n)
	}
	Eventually(t, dead)
	closeConsumer(t, c)
	dying.Wait()
	if len(runs) != n {
		t.Errorf("%d messages were delivered, want %d", len(runs), n)
	}
	for id, times := range runs {
		if times != 2 {
			t.Errorf("%s was delivered %d times, want one and one more", id, times)
		}
	}
}

// enqueueMany enqueues n messages in queue q.
func enqueueMany(t *testing.T, b broker.Broker, n int) {
	ms := make([]*broker.Message, n)
	for i := range ms {
		ms[i] = Message("q")
	}
	for _, err := range b.EnqueueMany(Context(t), ms) {
		if err != nil {
			t.Errorf("enqueue: %v", err)
		}
	}
}

func testDeleteDead(t *testing.T, store Store) {
	b := open(t, store(t))
	ids := died(t, b, "q", 4)
	if n, err := admin(t, b).DeleteDead(Context(t), "q", ids[1], ids[2], "no such id"); n != 2 || err != nil {
		t.Errorf("DeleteDead of two: %d, %v", n, err)
	}
	dead := deadLetters(t, b, "q", 2)
	if dead[0].ID != ids[0] || dead[1].ID != ids[3] {
		t.Errorf("left are %s and %s, want %s and %s", dead[0].ID, dead[1].ID, ids[0], ids[3])
	}
	if n, err := admin(t, b).DeleteDead(Context(t), "q"); n != 2 || err != nil {
		t.Errorf("DeleteDead of all: %d, %v", n, err)
	}
	deadLetters(t, b, "q", 0)
}

func testPurge(t *testing.T, store Store) {
	b := open(t, store(t))
	died(t, b, "q", 1)
	other := Enqueue(t, b, Message("other"))[0]
	delay := func(queue string, d time.Duration) {
		m := Message(queue)
		m.NotBefore = time.Now().Add(d)
		Enqueue(t, b, m)
	}
	for i := range 10 {
		Enqueue(t, b, Message("q"))
		delay("q", time.Duration(i+1)*time.Hour)
		delay("other", time.Duration(i+1)*time.Hour)
	}
	Eventually(t, func() string {
		if s := State(t, b, "q"); s.Ready != 10 {
			return fmt.Sprintf("state %+v, want 10 ready", s)
		}
		return ""
	})
	if n, err := admin(t, b).Purge(Context(t), "q"); n != 20 || err != nil {
		t.Errorf("Purge: %d, %v, want 10 ready and 10 delayed", n, err)
	}
	Drained(t, b, Consume(t, b, "q", 1), "q")
	deadLetters(t, b, "q", 1)
	d := Receive(t, Consume(t, b, "other", 1))
	if d.Message().ID != other.ID {
		t.Errorf("delivered %s, want %s", d.Message().ID, other.ID)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
	if n, err := admin(t, b).Purge(Context(t), "other"); n != 10 || err != nil {
		t.Errorf("Purge of the other queue: %d, %v, want the 10 delayed", n, err)
	}
}

// Purge ends while others go on enqueueing.
func testPurgeUnderLoad(t *testing.T, store Store) {
	const batch, producers = 2000, 2
	b := open(t, store(t))
	stop := make(chan struct{})
	var load, begun sync.WaitGroup
	begun.Add(producers)
	for range producers {
		load.Go(func() {
			enqueueMany(t, b, batch)
			begun.Done()
			for {
				select {
				case <-stop:
					return
				default:
					enqueueMany(t, b, batch)
				}
			}
		})
	}
	begun.Wait()
	if n, err := admin(t, b).Purge(Context(t), "q"); n < producers*batch || err != nil {
		t.Errorf("Purge: %d, %v, want at least the first %d", n, err, producers*batch)
	}
	close(stop)
	load.Wait()
}

func testQueueStates(t *testing.T, store Store) {
	b := open(t, store(t))
	died(t, b, "q", 2)
	for range 3 {
		Enqueue(t, b, Message("q"))
	}
	due := func() bool {
		t.Helper()
		due, err := admin(t, b).Due(Context(t), "q")
		if err != nil {
			t.Fatalf("due: %v", err)
		}
		return due
	}
	later := Message("q")
	later.NotBefore = time.Now().Add(time.Hour)
	Enqueue(t, b, later)
	want := broker.QueueState{Queue: "q", Ready: 3, Running: 0, Delayed: 1, Dead: 2}
	Eventually(t, func() string {
		got := State(t, b, "q")
		if got.Delayed == -1 { // not every broker can tell
			got.Delayed = want.Delayed
		}
		if got.Running == -1 {
			got.Running = want.Running
		}
		if got != want {
			return fmt.Sprintf("state %+v, want %+v", got, want)
		}
		return ""
	})
	if !due() {
		t.Error("no message is due, want three")
	}
	c := Consume(t, b, "q", 1)
	for range 3 {
		Receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	}
	Eventually(t, func() string {
		if due() {
			return "messages are due, want only one that is delayed"
		}
		return ""
	})
}

func testAdminClosed(t *testing.T, store Store) {
	b := openURL(t, store(t))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := admin(t, b).Queues(Context(t)); !errors.Is(err, broker.ErrClosed) {
		t.Errorf("Queues after Close: %v, want ErrClosed", err)
	}
}
