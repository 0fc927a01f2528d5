package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// What a whole node can suffer. It is one test with one node: starting one
// takes its time.
func TestNode(t *testing.T) {
	node := rabbittest.StartNode(t, rabbitnode.Options{})
	for _, c := range []struct {
		name string
		test func(*testing.T, *rabbittest.Node)
	}{
		{"Blocked", testBlocked},
		{"BlockedConsumer", testBlockedConsumer},
		{"BlockedElsewhere", testBlockedElsewhere},
		{"BlockedOutcomes", testBlockedOutcomes},
		{"DiskAlarm", testDiskAlarm},
		{"StopApp", testStopApp},
		{"Crash", testCrash},
		{"ResultAcrossCrash", testResultAcrossCrash},
		{"ConnectionsClosed", testConnectionsClosed},
		{"MaxMessageSize", testMaxMessageSize},
		{"FrameMax", testFrameMax},
		{"QueueFull", testQueueFull},
		{"NoLeader", testNoLeader},
		{"ConsumerTimeout", testConsumerTimeout},
		{"LongTasks", testLongTasks},
		{"UserDeleted", testUserDeleted},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeaks(t)
			c.test(t, node.For(t))
		})
	}
}

// nodeURL returns a URL of the node whose namespace is the test's own.
func nodeURL(t *testing.T, n *rabbittest.Node) string {
	_, name, _ := strings.Cut(t.Name(), "/")
	return n.URL() + "?namespace=" + strings.ToLower(name)
}

// Under a memory alarm an enqueue fails by its context with ErrBlocked; it
// works when the alarm is over.
func testBlocked(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	enqueue(t, b, message("q"))
	n.MemoryAlarm(true)
	defer n.MemoryAlarm(false)
	// The server says so when it has read the first publish.
	first := make(chan error, 1)
	go func() { first <- b.Enqueue(testContext(t), message("q")) }()
	awaitBlocked(t, b, "q")
	n.MemoryAlarm(false)
	if err := <-first; err != nil {
		t.Errorf("an enqueue that waits for the end of the alarm: %v", err)
	}
	enqueue(t, b, message("q"))
}

// awaitBlocked waits until an enqueue fails because the server is blocked.
func awaitBlocked(t *testing.T, b broker.Broker, queue string) {
	t.Helper()
	eventually(t, func() string {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		err := b.Enqueue(ctx, message(queue))
		if !errors.Is(err, broker.ErrBlocked) || !errors.Is(err, context.DeadlineExceeded) {
			return "enqueue: " + errText(err)
		}
		if errors.Is(err, broker.ErrUnknownOutcome) {
			return "it was sent before the server said that it is blocked"
		}
		return ""
	})
}

// Under an alarm a worker goes on with what is there; retries wait.
func testBlockedConsumer(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	for range 20 {
		enqueue(t, b, message("q"))
	}
	n.MemoryAlarm(true)
	defer n.MemoryAlarm(false)
	c := consume(t, b, "q", 2)
	var retried string
	for i := range 20 {
		d := receive(t, c)
		if i == 0 {
			retried = d.Message().ID
			d.Message().Attempt++
			d.Settle(broker.Settlement{Verdict: broker.Requeue})
			continue
		}
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	n.MemoryAlarm(false)
	d := receive(t, c)
	if d.Message().ID != retried || d.Message().Attempt != 2 {
		t.Errorf("delivered %s at attempt %d, want %s at 2", d.Message().ID, d.Message().Attempt, retried)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// Nothing that a process does under an alarm holds up what it consumes: the
// backlog may be what the alarm is about.
func testBlockedElsewhere(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	const backlog = 50
	for range backlog {
		enqueue(t, b, message("q"))
	}
	c := consume(t, b, "q", 1)
	n.MemoryAlarm(true)
	defer n.MemoryAlarm(false)
	eventually(t, func() string { // until RabbitMQ has said so
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		return blockedText(b.Enqueue(ctx, message("other")))
	})
	for name, call := range map[string]func(context.Context) error{
		"Enqueue to a new queue": func(ctx context.Context) error { return b.Enqueue(ctx, message("new")) },
		"Pause":                  func(ctx context.Context) error { return b.Pause(ctx, "other") },
	} {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		if text := blockedText(call(ctx)); text != "" {
			t.Errorf("%s: %s", name, text)
		}
		cancel()
	}
	consume(t, b, "newer", 1)
	for range backlog {
		receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	}
	n.MemoryAlarm(false)
	eventually(t, func() string {
		states, err := b.Queues(testContext(t))
		if err != nil || !slices.ContainsFunc(states, func(s broker.QueueState) bool { return s.Queue == "newer" }) {
			return fmt.Sprintf("the queue that was declared under the alarm is not listed: %v, %v", states, err)
		}
		return ""
	})
}

// blockedText complains unless err says that nothing was enqueued because of an
// alarm.
func blockedText(err error) string {
	if !errors.Is(err, broker.ErrBlocked) || errors.Is(err, broker.ErrUnknownOutcome) {
		return "error " + errText(err) + ", want ErrBlocked"
	}
	return ""
}

// A disk alarm in the middle of a load blocks producers, and costs nothing.
func testDiskAlarm(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	l := startLoad(t, b, "q")
	l.progress(20)
	n.DiskAlarm(true)
	defer n.DiskAlarm(false)
	awaitBlocked(t, b, "q")
	n.DiskAlarm(false)
	l.progress(50)
	l.finish()
}

func testStopApp(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	l := startLoad(t, b, "q")
	l.progress(50)
	n.StopApp()
	l.progress(50)
	l.finish()
}

func testCrash(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	l := startLoad(t, b, "q")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(n.Eval(`rabbit_amqqueue:info_all(<<"/">>, [name, messages_ready, messages_unacknowledged, consumers])`))
		}
	})
	for range 2 {
		l.progress(50)
		n.Crash()
		n.Restart()
	}
	l.progress(50)
	l.finish()
}

// The crash of RabbitMQ costs neither the records before it nor the wait.
func testResultAcrossCrash(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	before, during := kept("work"), kept("work")
	enqueue(t, b, before)
	execute(t, b, "work", 1)
	enqueue(t, b, during)
	result := make(chan error, 1)
	go func() { result <- checkValue(testContext(t), b, during) }()
	eventually(t, func() string { return unwatched(b, during.ID) })
	n.Crash()
	n.Restart()
	execute(t, b, "work", 1)
	if err := <-result; err != nil {
		t.Error(err)
	}
	if err := checkValue(testContext(t), b, before); err != nil {
		t.Error(err)
	}
}

func testConnectionsClosed(t *testing.T, n *rabbittest.Node) {
	b := open(t, nodeURL(t, n))
	l := startLoad(t, b, "q")
	for range 3 {
		l.progress(30)
		n.CloseConnections()
	}
	l.progress(30)
	l.finish()
}

// A message beyond the server's own limit fails alone, though it costs the
// channel of all.
func testMaxMessageSize(t *testing.T, n *rabbittest.Node) {
	n.Eval("application:set_env(rabbit, max_message_size, 100000), persistent_term:put(max_message_size, 100000)")
	defer n.Eval("application:set_env(rabbit, max_message_size, 134217728), persistent_term:put(max_message_size, 134217728)")
	b := open(t, nodeURL(t, n))
	ms := make([]*broker.Message, 200)
	for i := range ms {
		ms[i] = message("q")
	}
	ms[100].Body = []byte(`"` + strings.Repeat("x", 200_000) + `"`)
	for i, err := range b.EnqueueMany(testContext(t), ms) {
		if i == 100 != errors.Is(err, broker.ErrTooLarge) || i != 100 && err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
	if err := b.Enqueue(testContext(t), ms[100]); !errors.Is(err, broker.ErrTooLarge) || !strings.Contains(err.Error(), "100000") {
		t.Errorf("again: %v, want ErrTooLarge with the limit", err)
	}
	seen := make(map[string]bool)
	c := consume(t, b, "q", 10)
	for len(seen) < 199 { // those confirmed before the channel was lost may come twice
		d := receive(t, c)
		seen[d.Message().ID] = true
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	if err := c.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}

	enqueue(t, b, message("then"))
	settle(t, b, "then", 1, func(*broker.Message) broker.Settlement {
		return broker.Settlement{Verdict: broker.Done, Then: []*broker.Message{ms[0], ms[100]}}
	})
	dead, err := b.DeadLetters(testContext(t), "then", 2)
	if err != nil || len(dead) != 1 || !strings.Contains(dead[0].Failures[0].Error, ms[100].ID) {
		t.Errorf("dead letters where what follows is too large: %+v, %v", dead, err)
	}
}

// With small frames a long history is cut short; the retry takes place, and the
// dead letter has the newest failures. RabbitMQ 4.3 needs frames of 8192 bytes.
func testFrameMax(t *testing.T, n *rabbittest.Node) {
	n.Eval("application:set_env(rabbit, frame_max, 8192)")
	defer n.Eval("application:set_env(rabbit, frame_max, 131072)")
	b := open(t, nodeURL(t, n))
	c := consume(t, b, "q", 1)
	enqueue(t, b, message("q"))
	fail := func(text string) {
		t.Helper()
		d := receive(t, c)
		m := d.Message()
		m.Failures = append(m.Failures, broker.Failure{Attempt: m.Attempt, At: time.Now(), Error: text, Stack: strings.Repeat("x", broker.MaxStackSize)})
		if m.Attempt == 2 {
			d.Settle(broker.Settlement{Verdict: broker.Dead})
			return
		}
		m.Attempt++
		d.Settle(broker.Settlement{Verdict: broker.Requeue})
	}
	fail("first")
	fail("second")
	eventually(t, func() string {
		dead, err := b.DeadLetters(testContext(t), "q", 10)
		if err != nil || len(dead) != 1 {
			return "the dead letter is missing: " + errText(err)
		}
		if fs := dead[0].Failures; len(fs) != 2 || fs[0].Error != "first" || fs[1].Error != "second" {
			t.Errorf("dead letter with %v, want both failures", fs)
		}
		return ""
	})
}

func testQueueFull(t *testing.T, n *rabbittest.Node) {
	n.LimitQueues(`^queuefull\.queue\.q$`, 5)
	defer n.LimitQueues("", 0)
	b := open(t, nodeURL(t, n))
	accepted := 0
	for {
		err := b.Enqueue(testContext(t), message("q"))
		if errors.Is(err, broker.ErrQueueFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if accepted++; accepted > 50 {
			t.Fatal("the queue is never full")
		}
	}
	enqueue(t, b, message("other"))
	ms := make([]*broker.Message, 300)
	for i := range ms {
		ms[i] = message([]string{"q", "other"}[i%2])
	}
	for i, err := range b.EnqueueMany(testContext(t), ms) {
		if full := errors.Is(err, broker.ErrQueueFull); full != (ms[i].Queue == "q") {
			t.Fatalf("message %d of a batch, to %s: %v", i, ms[i].Queue, err)
		}
	}
	c := consume(t, b, "q", 1)
	for range accepted {
		receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	}
	eventually(t, func() string {
		if err := b.Enqueue(testContext(t), message("q")); err != nil {
			return "enqueue into the queue that has room again: " + err.Error()
		}
		return ""
	})
}

// A queue that has no leader, as while a cluster elects one, takes messages when
// it has one again. Until then others are not held up, and errors name it.
func testNoLeader(t *testing.T, n *rabbittest.Node) {
	older := open(t, nodeURL(t, n))
	enqueue(t, older, message("q"), message("other"))
	const server = `quorum_queues, {binary_to_atom(<<"%2F_noleader.queue.q">>), node()}`
	n.Eval("ra:stop_server(" + server + ")")

	// RabbitMQ refuses a message if the channel has not met the leader, else it
	// keeps it until there is another.
	newer := open(t, nodeURL(t, n))
	for b, want := range map[broker.Broker]string{
		older: "no confirm from queue noleader.queue.q",
		newer: "rabbitmq-queues quorum_status noleader.queue.q",
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		err := b.Enqueue(ctx, message("q"))
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, broker.ErrQueueFull) || !strings.Contains(err.Error(), want) {
			t.Errorf("enqueue without a leader: %v, want %q", err, want)
		}
		if unknown := errors.Is(err, broker.ErrUnknownOutcome); unknown != (b == older) {
			t.Errorf("ErrUnknownOutcome is %v for the error %v", unknown, err)
		}
		enqueue(t, b, message("other"))
	}
	ms := make([]*broker.Message, 100)
	for i := range ms {
		ms[i] = message("q")
	}
	waiting := make(chan []error, 2)
	for _, b := range []broker.Broker{older, newer} {
		go func() { waiting <- b.EnqueueMany(testContext(t), ms) }()
	}
	n.Eval("ra:restart_server(" + server + ")")
	for range 2 {
		for _, err := range <-waiting {
			if err != nil {
				t.Fatalf("enqueue when there is a leader again: %v", err)
			}
		}
	}
}

// A task that outlasts the consumer_timeout of the server, of which the broker
// does not know, costs the channel, but nothing is lost.
func testConsumerTimeout(t *testing.T, n *rabbittest.Node) {
	defer setConsumerTimeout(n, 1000)()
	b := open(t, nodeURL(t, n))
	c := consume(t, b, "q", 2)
	slow, quick := message("q"), message("q")
	enqueue(t, b, slow)
	held := receive(t, c)
	again := receive(t, c) // after the timeout
	if again.Message().ID != slow.ID {
		t.Fatalf("delivered %s, want %s again", again.Message().ID, slow.ID)
	}
	held.Settle(broker.Settlement{Verdict: broker.Done}) // void
	again.Settle(broker.Settlement{Verdict: broker.Done})
	enqueue(t, b, quick)
	d := receive(t, c)
	if d.Message().ID != quick.ID {
		t.Errorf("delivered %s, want %s", d.Message().ID, quick.ID)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

// setConsumerTimeout changes the consumer_timeout of a node, in milliseconds.
func setConsumerTimeout(n *rabbittest.Node, ms int) (restore func()) {
	n.Eval(fmt.Sprintf("application:set_env(rabbit, consumer_timeout, %d), application:set_env(rabbit, channel_tick_interval, 500)", ms))
	return func() {
		n.Eval("application:set_env(rabbit, consumer_timeout, 1800000), application:set_env(rabbit, channel_tick_interval, 60000)")
	}
}

// Tasks that run for several times the consumer_timeout run once, and those
// beside them are not disturbed; each outcome counts. If the worker is gone in
// the middle, the next attempt comes.
func testLongTasks(t *testing.T, n *rabbittest.Node) {
	defer setConsumerTimeout(n, 3000)()
	url := nodeURL(t, n) + "&consumer_timeout=3"
	b := open(t, url)
	c := consume(t, b, "q", 4)
	var long []broker.Delivery
	for range 4 {
		enqueue(t, b, message("q"))
		long = append(long, receive(t, c))
	}
	worker := open(t, url)
	lost := message("other")
	enqueue(t, b, lost)
	abandoned := receive(t, consume(t, worker, "other", 1))
	if abandoned.Message().ID != lost.ID {
		t.Fatalf("delivered %s, want %s", abandoned.Message().ID, lost.ID)
	}

	if !sleepUnless(c.Deliveries(), 10*time.Second) {
		t.Fatal("delivered again while it runs")
	}
	worker.Close() // as if it had died: the consumer was not closed
	again := receive(t, consume(t, b, "other", 1))
	if again.Message().ID != lost.ID || again.Message().Attempt != 2 {
		t.Errorf("after the end of its worker: %s at attempt %d, want %s at 2", again.Message().ID, again.Message().Attempt, lost.ID)
	}
	again.Settle(broker.Settlement{Verdict: broker.Done})

	long[0].Settle(broker.Settlement{Verdict: broker.Done})
	long[1].Message().Attempt++
	long[1].Settle(broker.Settlement{Verdict: broker.Requeue})
	if d := receive(t, c); d.Message().ID != long[1].Message().ID || d.Message().Attempt != 2 {
		t.Errorf("retried as %s at attempt %d, want %s at 2", d.Message().ID, d.Message().Attempt, long[1].Message().ID)
	} else {
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	long[2].Settle(broker.Settlement{Verdict: broker.Dead})
	if err := c.Close(testContext(t)); err != nil { // gives up the last one
		t.Fatal(err)
	}
	second := consume(t, b, "q", 1)
	if d := receive(t, second); d.Message().ID != long[3].Message().ID || d.Message().Attempt != 1 {
		t.Errorf("given up as %s at attempt %d, want %s at 1", d.Message().ID, d.Message().Attempt, long[3].Message().ID)
	} else {
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	dead, err := b.DeadLetters(testContext(t), "q", 10)
	if err != nil || len(dead) != 1 || dead[0].ID != long[2].Message().ID {
		t.Errorf("dead letters %v, %v; want %s", dead, err, long[2].Message().ID)
	}
	last := message("q")
	enqueue(t, b, last)
	if d := receive(t, second); d.Message().ID != last.ID {
		t.Errorf("delivered %s, want %s: something came twice", d.Message().ID, last.ID)
	} else {
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
}

// sleepUnless waits for d and reports whether nothing was delivered meanwhile.
func sleepUnless(deliveries <-chan broker.Delivery, d time.Duration) bool {
	select {
	case <-deliveries:
		return false
	case <-time.After(d):
		return true
	}
}

// A user who is deleted and comes back has not lost anything.
func testUserDeleted(t *testing.T, n *rabbittest.Node) {
	n.AddUser("worker", "pw")
	// What docs/wire.md says is enough.
	permit := func() {
		n.Permit("worker", `^(userdeleted\.|amq\.gen-)`, `^(userdeleted\.|amq\.gen-|amq\.default)`, `^(userdeleted\.|amq\.gen-)`)
	}
	permit()
	defer n.DeleteUser("worker")
	b := open(t, strings.Replace(nodeURL(t, n), "guest:guest", "worker:pw", 1))
	m := message("q")
	enqueue(t, b, m)
	n.Forbid("worker")
	err := b.Enqueue(testContext(t), message("new"))
	if err == nil || !strings.Contains(err.Error(), "permission") {
		t.Errorf("enqueue without permission: %v", err)
	}
	permit()
	m = message("q")
	m.NotBefore = time.Now().Add(time.Second)
	enqueue(t, b, message("new"), m)
	c := consume(t, b, "q", 1)
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Dead})
	eventually(t, func() string {
		if n, err := b.RetryDead(testContext(t), "q"); n != 1 {
			return "the dead letter is not retried: " + errText(err)
		}
		return ""
	})
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	if err := b.Pause(testContext(t), "q"); err != nil {
		t.Error(err)
	}
	if states, err := b.Queues(testContext(t)); err != nil || len(states) != 2 || !states[1].Paused {
		t.Errorf("states %v, error %v", states, err)
	}
}
