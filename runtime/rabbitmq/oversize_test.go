package rabbitmq_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// Messages that are too large go to the dead letters as they are, with the reason,
// two at a time; the worker does not read them into memory, and nobody loses them.
func TestOversizeMessages(t *testing.T) { // not parallel: it measures what the process allocates
	noLeaks(t)
	const size = 24 << 20
	raw := rabbittest.URL(t)
	b := open(t, raw)
	namespace := rabbittest.Namespace(t, raw)
	queues := []string{"one", "two"}
	ch := rabbittest.Channel(t, raw)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	for _, q := range queues {
		enqueue(t, b, message(q)) // declares it
		confirm, err := ch.PublishWithDeferredConfirmWithContext(testContext(t), "", namespace+".queue."+q, true, false, amqp.Publishing{
			MessageId: "large " + q, Type: "pkg.Task", DeliveryMode: amqp.Persistent,
			Headers: amqp.Table{"dtask-keep": int64(60_000)}, Body: make([]byte, size),
		})
		if err != nil {
			t.Fatal(err)
		}
		if !confirm.Wait() {
			t.Fatal("RabbitMQ does not take the message")
		}
		enqueue(t, b, message(q))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, q := range queues {
		c := consume(t, b, q, 1)
		for range 2 {
			d := receive(t, c)
			if strings.HasPrefix(d.Message().ID, "large") {
				t.Errorf("%s is delivered", d.Message().ID)
			}
			d.Settle(broker.Settlement{Verdict: broker.Done})
		}
	}
	for _, q := range queues {
		want := fmt.Sprintf("from %s.queue.%s: a worker refused it: the body has %d bytes, at most %d", namespace, q, size, broker.MaxBodySize)
		eventually(t, func() string {
			dead, err := b.DeadLetters(testContext(t), q, 10)
			if err != nil || len(dead) != 1 || dead[0].ID != "large "+q || len(dead[0].Failures) != 1 || !strings.HasSuffix(dead[0].Failures[0].Error, want) {
				return fmt.Sprintf("dead letters of %s: %+v, %v, want one that was moved %s", q, dead, err, want)
			}
			return ""
		})
		r, err := b.Result(testContext(t), "large "+q)
		if err != nil || r.Failure == nil || !strings.Contains(r.Failure.Error, "the body has") {
			t.Errorf("result of a message that is too large: %+v, %v", r, err)
		}
		if n, err := b.RetryDead(testContext(t), q); n != 0 || !errors.Is(err, broker.ErrTooLarge) {
			t.Errorf("retried %d, %v, want ErrTooLarge", n, err)
		}
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > size {
		t.Errorf("%d MiB were allocated for two messages of %d MiB that nobody can run", allocated>>20, size>>20)
	}
	for _, q := range queues {
		d, ok, err := ch.Get(namespace+".dead."+q, true)
		if err != nil || !ok || len(d.Body) != size {
			t.Errorf("the dead letter of %s: %v, %d bytes, %v, want all of it", q, ok, len(d.Body), err)
		}
	}
}
