package rabbitmq_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq"
)

// RabbitMQ has no more than 32 messages on their way out of a level of delay. So
// that many of one queue that cannot arrive, and a few more, are to be in nobody's
// way.
const stuck = 40

// One queue's trouble is no other queue's: whatever has become of a queue for which
// messages are delayed, retries and delays of others go on, and what was delayed for
// it arrives in the end, once.
func TestDelaysForQueuesInTrouble(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		harm func(t *testing.T, raw, queue string) (mend func())
	}{
		{"Deleted", deleteQueue},
		{"Full", fillQueue},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			noLeaks(t)
			raw := rabbittest.URL(t)
			b := open(t, raw)
			alive := consume(t, b, "alive", 1)
			delayed, mend := delayInto(t, b, raw, "bad", c.harm)
			checkRetries(t, b, alive)
			mend()
			checkArrival(t, b, "bad", delayed)
		})
	}
	t.Run("Two", func(t *testing.T) {
		t.Parallel()
		noLeaks(t)
		raw := rabbittest.URL(t)
		b := open(t, raw)
		alive := consume(t, b, "alive", 1)
		deleted, _ := delayInto(t, b, raw, "deleted", deleteQueue)
		full, mend := delayInto(t, b, raw, "full", fillQueue)
		checkRetries(t, b, alive)
		mend()
		checkArrival(t, b, "deleted", deleted)
		checkArrival(t, b, "full", full)
	})
	t.Run("NobodyThere", func(t *testing.T) {
		t.Parallel()
		noLeaks(t)
		raw := rabbittest.URL(t)
		b := open(t, raw)
		one, _ := delayInto(t, b, raw, "one", deleteQueue)
		two, _ := delayInto(t, b, raw, "two", deleteQueue)
		lost := rabbittest.Namespace(t, raw) + ".lost"
		eventually(t, func() string {
			q, err := rabbittest.Channel(t, raw).QueueDeclarePassive(lost, true, false, false, false, nil)
			if err != nil || q.Messages != len(one)+len(two) {
				return fmt.Sprintf("%d messages are lost, %v, want %d", q.Messages, err, len(one)+len(two))
			}
			return ""
		})
		checkArrival(t, b, "one", one)
		checkArrival(t, b, "two", two)
	})
}

// A connection that is lost while lost messages are moved to their queue is no fault
// of the queue: each is moved once there is a connection again, and none is delayed
// once more as well. One that had been moved already may be moved again.
func TestCutWhileMoving(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	raw := rabbittest.URL(t)
	namespace := rabbittest.Namespace(t, raw)
	proxy, url := rabbittest.ProxyURL(t, raw)
	consume(t, open(t, url), "alive", 1)
	ch := rabbittest.Channel(t, raw)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	lost := make(map[string]map[string]bool)
	for i := range stuck {
		queue := []string{"one", "two"}[i%2]
		class := []string{"high", "queue", "low"}[i%3]
		m := message(queue)
		confirm, err := ch.PublishWithDeferredConfirm(namespace+".wait.end", strings.Repeat("0.", 28)+namespace+"."+class+"."+queue, false, false, amqp.Publishing{
			MessageId: m.ID, Type: m.Task, DeliveryMode: amqp.Persistent, Body: []byte(m.Body),
		})
		if err != nil || !confirm.Wait() {
			t.Fatal("not published", err)
		}
		if lost[queue] == nil {
			lost[queue] = make(map[string]bool)
		}
		lost[queue][m.ID] = true
	}
	proxy.Cut()
	b := open(t, raw)
	for queue, missing := range lost {
		c := consume(t, b, queue, 10)
		for len(missing) > 0 {
			d := receive(t, c)
			delete(missing, d.Message().ID)
			d.Settle(broker.Settlement{Verdict: broker.Done})
		}
	}
	for level := range 4 { // for up to sixteen seconds
		name := fmt.Sprintf("%s.wait.%02d", namespace, level)
		q, err := rabbittest.Channel(t, raw).QueueDeclarePassive(name, true, false, false, false, nil)
		if err == nil && q.Messages > 0 {
			t.Errorf("%s has %d messages, want that nothing is delayed once more", name, q.Messages)
		}
	}
}

// delayInto does harm to a queue that its producer has declared before, delays
// messages for it, and returns their ids and what mends the harm.
func delayInto(t *testing.T, b *rabbitmq.Broker, raw, queue string, harm func(*testing.T, string, string) func()) (ids map[string]bool, mend func()) {
	t.Helper()
	for _, p := range []broker.Priority{broker.PriorityHigh, broker.PriorityDefault, broker.PriorityLow} {
		m := message(queue)
		m.Priority, m.NotBefore = p, time.Now().Add(time.Hour)
		enqueue(t, b, m)
	}
	mend = harm(t, raw, queue)
	ids = make(map[string]bool)
	var ms []*broker.Message
	for i := range stuck {
		m := message(queue)
		m.NotBefore = time.Now().Add(time.Second)
		m.Priority = broker.Priority(i%3 - 1)
		ids[m.ID] = true
		ms = append(ms, m)
	}
	for _, err := range b.EnqueueMany(testContext(t), ms) {
		if err != nil {
			t.Fatal(err)
		}
	}
	return ids, mend
}

// deleteQueue deletes all that belongs to a queue.
func deleteQueue(t *testing.T, raw, queue string) func() {
	t.Helper()
	ch := rabbittest.Channel(t, raw)
	for _, class := range []string{"high", "queue", "low", "due", "quarantine", "dead"} {
		if _, err := ch.QueueDelete(rabbittest.Namespace(t, raw)+"."+class+"."+queue, false, false, false); err != nil {
			t.Fatal(err)
		}
	}
	return func() {}
}

// fillQueue limits the length of the work queues of a queue, to which they are full.
func fillQueue(t *testing.T, raw, queue string) func() {
	t.Helper()
	namespace := rabbittest.Namespace(t, raw)
	pattern := fmt.Sprintf(`^%s\\.(high|queue|low)\\.%s$`, namespace, queue)
	rabbittest.Eval(t, fmt.Sprintf(`rabbit_policy:set(<<"/">>, <<"%s-%s">>, <<"%s">>, [{<<"max-length">>, 1}], 0, <<"queues">>, <<"test">>)`, namespace, queue, pattern))
	var once sync.Once
	mend := func() {
		once.Do(func() {
			rabbittest.Eval(t, fmt.Sprintf(`rabbit_policy:delete(<<"/">>, <<"%s-%s">>, <<"test">>)`, namespace, queue))
		})
	}
	t.Cleanup(mend)
	return mend
}

// checkRetries checks that five retries of a message run, and three delays.
func checkRetries(t *testing.T, b *rabbitmq.Broker, c broker.Consumer) {
	t.Helper()
	time.Sleep(2 * time.Second) // what is in trouble is due
	m := message("alive")
	enqueue(t, b, m)
	for i := range 3 {
		m := message("alive")
		m.NotBefore = time.Now().Add(time.Duration(i+1) * 700 * time.Millisecond)
		enqueue(t, b, m)
	}
	for runs := 0; runs < 6+3; runs++ {
		d := receive(t, c)
		got := d.Message()
		if got.ID == m.ID && got.Attempt < 6 {
			got.Attempt++
			got.NotBefore = time.Now().Add(300 * time.Millisecond)
			d.Settle(broker.Settlement{Verdict: broker.Requeue})
			continue
		}
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
}

// checkArrival checks that the given messages arrive, each once, and nothing else.
func checkArrival(t *testing.T, b *rabbitmq.Broker, queue string, want map[string]bool) {
	t.Helper()
	c := consume(t, b, queue, 10)
	priorities := make(map[broker.Priority]int)
	for len(want) > 0 {
		d := receive(t, c)
		m := d.Message()
		if !want[m.ID] {
			t.Errorf("%s arrives, but it is not missing", m.ID)
		}
		delete(want, m.ID)
		priorities[m.Priority]++
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	if len(priorities) != 3 {
		t.Errorf("priorities %v, want three", priorities)
	}
	if err := c.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	states, err := b.Queues(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if s.Queue == queue && s.Ready+s.Dead > 0 {
			t.Errorf("%+v, want that nothing is left", s)
		}
	}
}

// What was delayed for no queue at all, or is too large, is among the dead letters of
// a queue for that, and in nobody's way.
func TestDelayedForNobody(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	raw := rabbittest.URL(t)
	b := open(t, raw)
	namespace := rabbittest.Namespace(t, raw)
	alive := consume(t, b, "alive", 1)
	ch := rabbittest.Channel(t, raw)
	zeros := strings.Repeat("0.", 28)
	for key, size := range map[string]int{
		zeros + "another." + namespace + ".queue.q": 10,
		zeros + namespace + ".queue.large":          broker.MaxBodySize + 1,
		"nonsense":                                  10,
	} {
		if err := ch.PublishWithContext(testContext(t), namespace+".wait.end", key, false, false, amqp.Publishing{
			MessageId: key, Type: "pkg.Task", DeliveryMode: amqp.Persistent, Body: make([]byte, size),
		}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, func() string {
		states, err := b.Queues(testContext(t))
		for _, s := range states {
			if s.Queue == "lost" && s.Dead == 3 {
				return ""
			}
		}
		return fmt.Sprintf("queues %+v, %v, want one with three dead letters", states, err)
	})
	dead, err := b.DeadLetters(testContext(t), "lost", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range dead {
		if n := len(m.Failures); n != 1 || !strings.Contains(m.Failures[0].Error, namespace+".lost") {
			t.Errorf("dead letter %s with %+v, want where it comes from", m.ID, m.Failures)
		}
	}
	checkRetries(t, b, alive)
}
