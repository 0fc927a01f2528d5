package rabbitmq_test

import (
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq"
)

// has returns "" if the census names exactly these tasks.
func has(t *testing.T, b *rabbitmq.Broker, tasks ...string) string {
	t.Helper()
	c, err := b.Census(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for _, k := range c.Kinds {
		known[k.Task] = true
	}
	for _, task := range tasks {
		if !known[task] {
			return fmt.Sprintf("%+v does not have %s", c, task)
		}
	}
	if len(known) != len(tasks) {
		return fmt.Sprintf("%+v, want %q alone", c, tasks)
	}
	return ""
}

func named(task string) *broker.Message {
	m := message("q")
	m.Task = task
	return m
}

// Without a census messages are sent all the same. Their kinds follow once there is
// one.
func TestCensusInTrouble(t *testing.T) {
	noLeaks(t)
	defer rabbitmq.SetClerkRetry(100 * time.Millisecond)()
	raw, vhost := rabbittest.VHostURL(t)
	_ = vhost
	conn, err := amqp.Dial(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	const name = "dtask.census"
	if _, err := ch.QueueDeclare(name, true, false, false, false, amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeQuorum}); err != nil {
		t.Fatal(err)
	}
	b := open(t, raw)
	start := time.Now()
	for i := range 100 {
		enqueue(t, b, named(fmt.Sprint("pkg.T", i%2)))
	}
	t.Logf("100 messages took %v", time.Since(start))
	if _, err := ch.QueueDelete(name, false, false, false); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string { return has(t, b, "pkg.T0", "pkg.T1") })

	// One that is deleted begins anew, with what is sent from then on.
	if _, err := ch.QueueDelete(name, false, false, false); err != nil {
		t.Fatal(err)
	}
	enqueue(t, b, named("pkg.T0"), named("pkg.T2"))
	eventually(t, func() string { return has(t, b, "pkg.T2") })
}

// What others write to the stream is no trouble, and neither is a message of a producer
// that writes nothing to it.
func TestCensusOfStrangers(t *testing.T) {
	raw, _ := rabbittest.VHostURL(t)
	b := open(t, raw)
	enqueue(t, b, named("pkg.T"))
	conn, err := amqp.Dial(raw)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	publish := func(queue string, p amqp.Publishing) {
		t.Helper()
		if err := ch.PublishWithContext(testContext(t), "", queue, false, false, p); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range []amqp.Publishing{
		{},
		{Type: "x", Body: []byte("no record")},
		{Type: "x", Headers: amqp.Table{"dtask-queue": int64(7)}},
		{Type: "x", Headers: amqp.Table{"dtask-queue": "q", "dtask-latest": "tomorrow"}},
	} {
		publish("dtask.census", p)
	}
	eventually(t, func() string { return has(t, b, "pkg.T") })
	for i := range 12_000 {
		publish("dtask.census", amqp.Publishing{Type: fmt.Sprint("foreign", i), Timestamp: time.Now(), Headers: amqp.Table{"dtask-queue": "q"}})
	}
	eventually(t, func() string {
		c, err := b.Census(testContext(t))
		if err != nil || !c.Overflow || len(c.Kinds) < 1000 || len(c.Kinds) > 10_000 {
			return fmt.Sprintf("%d kinds, overflow %v, %v; want the first of them and the overflow", len(c.Kinds), c.Overflow, err)
		}
		return ""
	})

	own := open(t, raw+"?namespace=strange")
	consume(t, own, "py", 1).Stop() // it exists, and nobody consumes it
	publish("strange.queue.py", amqp.Publishing{Type: "pkg.T", Body: []byte("{}")})
	eventually(t, func() string {
		c, err := own.Census(testContext(t))
		if err != nil || len(c.Unnamed) != 1 || c.Unnamed[0] != "py" || len(c.Kinds) > 0 {
			return fmt.Sprintf("%+v, %v; want a queue with messages of which nobody has said the kind", c, err)
		}
		return ""
	})
}
