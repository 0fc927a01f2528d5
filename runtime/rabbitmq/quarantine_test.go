package rabbitmq_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// Each of many queues has suspects. All of them run, each of them alone, though two
// processes consume all queues: in a process nothing else runs meanwhile, and on the
// host no other suspect, as both processes may be killed at once.
func TestManyQuarantines(t *testing.T) {
	t.Parallel()
	const queues, each = 10, 2
	url := rabbittest.URL(t)
	b, other := open(t, url), open(t, url)
	namespace := rabbittest.Namespace(t, url)
	ch := rabbittest.Channel(t, url)
	for i := range queues {
		queue := fmt.Sprint("q", i)
		if err := consume(t, b, queue, 1).Close(testContext(t)); err != nil { // declares the quarantine
			t.Fatal(err)
		}
		for range each {
			enqueue(t, b, message(queue))
			eventually(t, func() string { // as if it had killed its workers
				d, ok, err := ch.Get(namespace+".queue."+queue, true)
				if err != nil || !ok {
					return "the message cannot be fetched: " + errText(err)
				}
				if err := ch.PublishWithContext(t.Context(), "", namespace+".quarantine."+queue, false, false, amqp.Publishing{
					Headers: d.Headers, Type: d.Type, MessageId: d.MessageId, Timestamp: d.Timestamp,
					ContentType: d.ContentType, Body: d.Body, DeliveryMode: amqp.Persistent, AppId: d.AppId,
				}); err != nil {
					t.Fatal(err)
				}
				return ""
			})
		}
	}
	done := make(chan string, queues*each)
	var running atomic.Int32
	for _, b := range []broker.Broker{b, other} {
		for i := range queues {
			c := consume(t, b, fmt.Sprint("q", i), 2)
			go func() {
				for d := range c.Deliveries() {
					if n := running.Add(1); n > 1 {
						t.Errorf("%d suspects run at once", n)
					}
					time.Sleep(20 * time.Millisecond)
					running.Add(-1)
					d.Settle(broker.Settlement{Verdict: broker.Done})
					done <- d.Message().ID
				}
			}()
		}
	}
	seen := make(map[string]bool)
	start, end := time.Now(), time.After(patience)
	for range queues * each {
		select {
		case id := <-done:
			if seen[id] {
				t.Errorf("%s ran twice", id)
			}
			seen[id] = true
		case <-end:
			t.Fatalf("%d of %d suspects have run", len(seen), queues*each)
		}
	}
	t.Logf("%d suspects of %d queues after %v", len(seen), queues, time.Since(start).Round(time.Second))
}
