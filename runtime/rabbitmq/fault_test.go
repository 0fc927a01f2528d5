package rabbitmq_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq"
)

// Connections that are cut under load cost nothing.
func TestConnectionCut(t *testing.T) {
	noLeaks(t)
	proxy, url := rabbittest.ProxyURL(t, rabbittest.URL(t))
	b := open(t, url)
	l := startLoad(t, b, "q")
	for range 5 {
		l.progress(50)
		proxy.Cut()
	}
	l.progress(50)
	l.finish()
}

// A link that goes silent is given up after two heartbeats.
func TestHalfOpen(t *testing.T) {
	noLeaks(t)
	proxy, url := rabbittest.ProxyURL(t, rabbittest.URL(t))
	b := open(t, url+"&heartbeat=1")
	l := startLoad(t, b, "q")
	l.progress(50)
	for range 2 {
		proxy.Freeze()
		// Both connections are given up; the new ones hang in the handshake.
		eventually(t, func() string {
			if n := proxy.Accepted(); n < 4 {
				return "the silent connections are not given up"
			}
			return ""
		})
		proxy.Cut()
		proxy.Resume()
		l.progress(50)
		proxy.Forget()
	}
	l.finish()
}

// What was executed is not delivered again to who has executed it, although its
// acknowledgement was lost with the connection. Another message with the same id
// is, and one of which nobody can tell whether it is another.
func TestExecutedOnce(t *testing.T) {
	noLeaks(t)
	proxy, url := rabbittest.ProxyURL(t, rabbittest.URL(t))
	b := open(t, url)
	c := consume(t, b, "q", 4)
	m, timeless := message("q"), message("q")
	timeless.EnqueuedAt = time.Time{}
	otherTask, otherBody := *m, *m
	otherTask.Task = "pkg.Other"
	otherBody.Body = []byte(`{"n":2}`)
	enqueue(t, b, m, timeless, &otherTask, &otherBody)
	ds := []broker.Delivery{receive(t, c), receive(t, c), receive(t, c), receive(t, c)}
	what := func(m *broker.Message) string { return fmt.Sprintf("%s %s(%s)", m.ID, m.Task, m.Body) }
	proxy.Freeze()
	for _, d := range ds {
		if w := what(d.Message()); w == what(m) || w == what(timeless) {
			d.Settle(broker.Settlement{Verdict: broker.Done})
		}
	}
	proxy.Cut()
	proxy.Resume()
	again := map[string]bool{what(timeless): true, what(&otherTask): true, what(&otherBody): true}
	for len(again) > 0 {
		d := receive(t, c)
		if w := what(d.Message()); !again[w] || d.Message().Attempt != 2 {
			t.Fatalf("delivered %s at attempt %d, want one of %v at 2", w, d.Message().Attempt, again)
		}
		delete(again, what(d.Message()))
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	later := *m
	later.EnqueuedAt = m.EnqueuedAt.Add(time.Second)
	enqueue(t, b, &later)
	if d := receive(t, c); what(d.Message()) != what(m) || d.Message().Attempt != 1 {
		t.Errorf("delivered %s at attempt %d, want %s at 1", what(d.Message()), d.Message().Attempt, what(m))
	} else {
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
}

// A link that goes silent right after the handshake is noticed, too.
func TestHalfOpenAfterDial(t *testing.T) {
	noLeaks(t)
	proxy, url := rabbittest.ProxyURL(t, rabbittest.URL(t))
	b := open(t, url+"&heartbeat=1")
	proxy.Freeze()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := b.Enqueue(ctx, message("q")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("enqueue into silence: %v, want the error of the context", err)
	}
	eventually(t, func() string {
		if proxy.Accepted() < 2 {
			return "the silence is not noticed"
		}
		return ""
	})
	proxy.Cut()
	proxy.Resume()
	enqueue(t, b, message("q"))
}

// While the broker is away an enqueue fails by its context and says why, and
// then works again.
func TestUnreachable(t *testing.T) {
	noLeaks(t)
	proxy, url := rabbittest.ProxyURL(t, rabbittest.URL(t))
	b := open(t, url)
	c := consume(t, b, "q", 1)
	proxy.Refuse()
	proxy.Cut()
	eventually(t, func() string {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		err := b.Enqueue(ctx, message("other"))
		if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, broker.ErrUnknownOutcome) || !strings.Contains(err.Error(), "no connection to RabbitMQ") {
			return "enqueue: " + errText(err)
		}
		return ""
	})
	proxy.Resume()
	m := message("q")
	enqueue(t, b, m)
	d := receive(t, c)
	if d.Message().ID != m.ID {
		t.Errorf("delivered %s, want %s", d.Message().ID, m.ID)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
}

func errText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// A server that accepts connections and says nothing is no server.
func TestSilentListener(t *testing.T) {
	noLeaks(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err = rabbitmq.Open(ctx, "amqp://guest:geheim@"+l.Addr().String(), broker.Config{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("open: %v, want the error of the context", err)
	}
	if strings.Contains(err.Error(), "geheim") {
		t.Errorf("the error shows the password: %v", err)
	}
}

// A server that falls silent in the handshake is given up within seconds, though
// neither the context nor the heartbeat, which is agreed on in it, says so.
func TestSilentHandshake(t *testing.T) {
	noLeaks(t)
	for _, scheme := range []string{"amqp", "amqps"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel() // both wait for the same seconds
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			opened := make(chan struct{})
			go func() {
				defer close(opened)
				rabbitmq.Open(ctx, scheme+"://"+l.Addr().String()+"/?heartbeat=3600", broker.Config{})
			}()
			defer func() { cancel(); <-opened }()
			defer l.Close()
			l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
			for range 2 { // the second one comes when the first is given up
				c, err := l.Accept()
				if err != nil {
					t.Fatalf("the silence is not noticed: %v", err)
				}
				defer c.Close()
			}
		})
	}
}

// Of several hosts one is enough.
func TestSeveralHosts(t *testing.T) {
	noLeaks(t)
	raw := rabbittest.URL(t)
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	first, _ := rabbittest.ProxyURL(t, raw)
	second, _ := rabbittest.ProxyURL(t, raw)
	u, _ := url.Parse(raw)
	hosts := dead.Addr().String() + "," + first.Addr() + "," + second.Addr()
	b := open(t, strings.Replace(raw, u.Host, hosts, 1))
	l := startLoad(t, b, "q")
	for range 3 {
		for _, p := range []*rabbittest.Proxy{first, second} {
			l.progress(20)
			p.Refuse()
			p.Cut()
			l.progress(20)
			p.Resume()
		}
	}
	l.finish()
}

// Errors that trying again will not mend are told at once, with the remedy and
// without the password.
func TestPermanentErrors(t *testing.T) {
	noLeaks(t)
	u, err := url.Parse(rabbittest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, url, want string }{
		{"password", "amqp://guest:geheim@" + u.Host + u.Path, `refuses user "guest"; check user and password`},
		{"user", "amqp://nobody:geheim@" + u.Host + u.Path, `refuses user "nobody"; check user and password`},
		{"vhost", "amqp://guest:guest@" + u.Host + "/nope", `does not let user "guest" into virtual host "nope"`},
		{"tls", "amqps://guest:geheim@" + u.Host + u.Path, "does not speak TLS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // RabbitMQ waits before it refuses
			_, err := rabbitmq.Open(testContext(t), c.url, broker.Config{})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "geheim") {
				t.Errorf("open: %v, want %q", err, c.want)
			}
		})
	}
}

// A queue that exists with other arguments is an error that names both, not a
// reason to reconnect for ever.
func TestOtherArguments(t *testing.T) {
	raw := rabbittest.URL(t)
	namespace := rabbittest.Namespace(t, raw)
	ch := rabbittest.Channel(t, raw)
	if _, err := ch.QueueDeclare(namespace+".queue.q", true, false, false, false, amqp.Table{
		"x-queue-type": "quorum", "x-delivery-limit": 3, "x-overflow": "reject-publish",
		"x-dead-letter-exchange": "", "x-dead-letter-routing-key": namespace + ".dead.q", "x-dead-letter-strategy": "at-least-once",
	}); err != nil {
		t.Fatal(err)
	}
	b := open(t, raw)
	check := func(err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), namespace+".queue.q") || !strings.Contains(err.Error(), "x-delivery-limit") {
			t.Errorf("error %v, want queue and argument", err)
		}
	}
	check(b.Enqueue(testContext(t), message("q")))
	_, err := b.Consume(testContext(t), broker.ConsumeOptions{Queue: "q", Concurrency: 1})
	check(err)
	enqueue(t, b, message("other")) // it goes on with others
}

// foreign returns a message as another producer may write it.
func foreign(id string, notBefore time.Time) amqp.Publishing {
	return amqp.Publishing{Type: "t", MessageId: id, Body: []byte("{}"), Headers: amqp.Table{"dtask-not-before": notBefore.UnixMilli()}}
}

// Queues deleted under load are declared again; what is enqueued afterwards
// arrives.
func TestQueueDeleted(t *testing.T) {
	noLeaks(t)
	raw := rabbittest.URL(t)
	b := open(t, raw)
	c := consume(t, b, "q", 5)
	ch := rabbittest.Channel(t, raw)
	for range 3 {
		for _, name := range []string{".queue.q", ".high.q", ".dead.q"} {
			if _, err := ch.QueueDelete(rabbittest.Namespace(t, raw)+name, false, false, false); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range []broker.Priority{broker.PriorityHigh, broker.PriorityDefault, broker.PriorityLow} {
			m := message("q")
			m.Priority = p
			enqueue(t, b, m)
			d := receive(t, c)
			if d.Message().ID != m.ID {
				t.Errorf("delivered %s, want %s", d.Message().ID, m.ID)
			}
			d.Settle(broker.Settlement{Verdict: broker.Done})
		}
	}
	m := message("q")
	enqueue(t, b, m)
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Dead})
	eventually(t, func() string {
		if dead, err := b.DeadLetters(testContext(t), "q", 10); err != nil || len(dead) != 1 || dead[0].ID != m.ID {
			return "the dead letter is missing: " + errText(err)
		}
		return ""
	})
}

// A level of delay that was deleted is declared again. A publish to its exchange
// costs the channel (404), which tells of the loss.
func TestLevelDeleted(t *testing.T) {
	noLeaks(t)
	raw := rabbittest.URL(t)
	b := open(t, raw)
	delayed := func() *broker.Message {
		m := message("q")
		m.NotBefore = time.Now().Add(6 * time.Minute) // at level 8, from 256 seconds on: also when it is tried again
		return m
	}
	enqueue(t, b, delayed())
	ch := rabbittest.Channel(t, raw)
	level := rabbittest.Namespace(t, raw) + ".wait.08"
	if err := ch.ExchangeDelete(level, false, false); err != nil {
		t.Fatal(err)
	}
	enqueue(t, b, delayed())
	q, err := ch.QueueDeclarePassive(level, true, false, false, false, nil)
	if err != nil || q.Messages != 2 {
		t.Errorf("%d messages wait, %v, want 2", q.Messages, err)
	}
}

// A settlement of a lost session has no effect on a later one: with delivery
// tags that start from 1 again, it would remove another message.
func TestStaleSettlement(t *testing.T) {
	noLeaks(t)
	raw := rabbittest.URL(t)
	proxy, url := rabbittest.ProxyURL(t, raw)
	victim, other := open(t, url), open(t, raw)
	c := consume(t, victim, "q", 2)
	enqueue(t, victim, message("q"), message("q"))
	stale := []broker.Delivery{receive(t, c), receive(t, c)}

	taker := consume(t, other, "q", 2)
	proxy.Cut()
	for range stale {
		receive(t, taker).Settle(broker.Settlement{Verdict: broker.Done}) // taken over
	}
	if err := taker.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	enqueue(t, other, message("q"), message("q"))
	fresh := []broker.Delivery{receive(t, c), receive(t, c)}
	for i, v := range []broker.Verdict{broker.Done, broker.Requeue} {
		stale[i].Settle(broker.Settlement{Verdict: v})
	}
	if err := c.Close(testContext(t)); err != nil { // gives up the fresh ones
		t.Fatal(err)
	}
	got := make(map[string]bool)
	again := consume(t, other, "q", 2)
	for range fresh {
		d := receive(t, again)
		got[d.Message().ID] = true
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	for _, d := range fresh {
		if !got[d.Message().ID] {
			t.Errorf("%s was removed by a stale settlement", d.Message().ID)
		}
	}
}

// However many channels come and go on a connection, those of its consumers are
// not disturbed.
func TestManyChannels(t *testing.T) {
	b := open(t, rabbittest.URL(t))
	c := consume(t, b, "q", 2)
	held := message("q")
	enqueue(t, b, held)
	d := receive(t, c)
	for range 600 { // four channels each, of the 2047 that a connection has
		if _, err := b.Due(testContext(t), "q"); err != nil {
			t.Fatal(err)
		}
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
	next := message("q")
	enqueue(t, b, next)
	if d := receive(t, c); d.Message().ID != next.ID {
		t.Errorf("delivered %s, want %s: the connection was lost", d.Message().ID, next.ID)
	} else {
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
}

// Close keeps to its context, also if RabbitMQ does not answer any more.
func TestCloseSilent(t *testing.T) {
	proxy, url := rabbittest.ProxyURL(t, rabbittest.URL(t))
	b := open(t, url+"&heartbeat=300")
	c := consume(t, b, "q", 1)
	enqueue(t, b, message("q"))
	receive(t, c)
	proxy.Freeze()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	closed := make(chan error)
	go func() { closed <- c.Close(ctx) }()
	select {
	case err := <-closed:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("closed: %v, want the end of the context", err)
		}
	case <-time.After(patience):
		t.Error("Close waits for an answer")
	}
	proxy.Cut()
	proxy.Resume()
}

// A queue that cannot be declared is the trouble of its own messages only.
func TestUndeclarable(t *testing.T) {
	url := rabbittest.URL(t)
	b := open(t, url)
	if _, err := rabbittest.Channel(t, url).QueueDeclare(rabbittest.Namespace(t, url)+".queue.taken", false, false, true, false, nil); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	failed := make(chan error)
	go func() { failed <- b.Enqueue(ctx, message("taken")) }()
	for {
		try, done := context.WithTimeout(context.Background(), patience)
		if err := b.Enqueue(try, message("q")); err != nil {
			t.Errorf("enqueue to another queue: %v", err)
		}
		done()
		select {
		case err := <-failed:
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "RESOURCE_LOCKED") {
				t.Errorf("enqueue: %v, want what RabbitMQ says", err)
			}
			return
		default:
		}
	}
}

// A queue may have any name, also one that looks as if it was for another
// purpose.
func TestLookalikeQueues(t *testing.T) {
	b := open(t, rabbittest.URL(t))
	for _, q := range []string{"q", "q.lock", "q.queue", "wait.00"} {
		enqueue(t, b, message(q))
		c := consume(t, b, q, 1)
		receive(t, c).Settle(broker.Settlement{Verdict: broker.Dead})
		if err := c.Close(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	for _, q := range []string{"q", "q.lock", "q.queue", "wait.00"} {
		if dead, err := b.DeadLetters(testContext(t), q, 10); len(dead) != 1 || err != nil {
			t.Errorf("dead letters of %s: %v, %v, want one", q, dead, err)
		}
	}
}

// What opens a channel closes it: however often it is done, RabbitMQ has no more
// of them.
func TestNoChannelLeaks(t *testing.T) {
	noLeaks(t)
	raw, vhost := rabbittest.VHostURL(t)
	channels := func() int {
		t.Helper()
		n, err := strconv.Atoi(rabbittest.Eval(t, fmt.Sprintf(`length([C || C <- rabbit_channel:list(), [{vhost, <<%q>>}] <- [catch rabbit_channel:info(C, [vhost])]])`, vhost)))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}

	b := open(t, raw)
	m := kept("q")
	enqueue(t, b, m, message("q"))
	settle(t, b, "q", 2, func(of *broker.Message) broker.Settlement {
		if of.ID == m.ID {
			return broker.Settlement{Verdict: broker.Done}
		}
		return broker.Settlement{Verdict: broker.Dead}
	})
	c := consume(t, b, "q", 1)
	use := func() {
		queue := fmt.Sprint("new-", serial.Add(1))
		enqueue(t, b, message(queue))
		_, resultErr := b.Result(testContext(t), m.ID)
		dead, err := b.DeadLetters(testContext(t), "q", 1)
		if len(dead) != 1 {
			t.Errorf("%d dead letters, want 1", len(dead))
		}
		_, purgeErr := b.Purge(testContext(t), queue)
		for _, err := range []error{
			resultErr, err, purgeErr, b.Pause(testContext(t), queue), b.Resume(testContext(t), queue),
			rabbitmq.SubscribeInVain(testContext(t), c),
		} {
			if err != nil {
				t.Error(err)
			}
		}
	}
	use()
	before := channels()
	for range 5 {
		use()
	}
	eventually(t, func() string {
		if n := channels(); n > before {
			return fmt.Sprintf("%d channels, there were %d", n, before)
		}
		return ""
	})
}

// Malformed messages go to the dead letters with the reason; those of producers
// that know little are fine.
func TestForeignMessages(t *testing.T) {
	noLeaks(t)
	raw := rabbittest.URL(t)
	b := open(t, raw)
	c := consume(t, b, "q", 2)
	ch := rabbittest.Channel(t, raw)
	publish := func(p amqp.Publishing) {
		t.Helper()
		if err := ch.Publish("", rabbittest.Namespace(t, raw)+".queue.q", true, false, p); err != nil {
			t.Fatal(err)
		}
	}
	bad := map[string]amqp.Publishing{
		"the property type":     {MessageId: "no type", Body: []byte("{}")},
		"header dtask-attempts": {MessageId: "bad attempts", Type: "t", Headers: amqp.Table{"dtask-attempts": "many"}},
		"header dtask-attempt":  {MessageId: "no attempt", Type: "t", Headers: amqp.Table{"dtask-attempt": int32(0)}},
		"header dtask-expires":  {MessageId: "never", Type: "t", Headers: amqp.Table{"dtask-expires": int64(1) << 62}},
		"header dtask-failures": {MessageId: "no history", Type: "t", Headers: amqp.Table{"dtask-failures": "{"}},
		"header dtask-schema":   {MessageId: "no schema", Type: "t", Headers: amqp.Table{"dtask-schema": amqp.Table{"a": "b"}}},
		"the body has":          {MessageId: "huge", Type: "t", Body: make([]byte, broker.MaxBodySize+1)},
	}
	for _, p := range bad {
		publish(p)
	}
	publish(amqp.Publishing{Type: "mail.Send", MessageId: "plain", Body: []byte(`{"to":"a"}`), Headers: amqp.Table{
		"tenant": "blue", "n": int32(7), "nested": amqp.Table{"x": "y"}, "x-opt": "theirs", "dtask-attempts": int16(3),
	}})
	d := receive(t, c)
	m := d.Message()
	if m.ID != "plain" || m.Task != "mail.Send" || m.Queue != "q" || m.Attempt != 1 || m.Attempts != 3 ||
		len(m.Headers) != 2 || m.Headers["tenant"] != "blue" || m.Headers["n"] != "7" {
		t.Errorf("delivered %+v", m)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})

	var dead []*broker.Message
	eventually(t, func() string {
		var err error
		if dead, err = b.DeadLetters(testContext(t), "q", 100); err != nil || len(dead) != len(bad) {
			return "dead letters are missing: " + errText(err)
		}
		return ""
	})
	for _, m := range dead {
		found := false
		for reason, p := range bad {
			if p.MessageId == m.ID {
				found = len(m.Failures) > 0 && strings.Contains(m.Failures[len(m.Failures)-1].Error, reason)
			}
		}
		if !found {
			t.Errorf("dead letter %s says %v", m.ID, m.Failures)
		}
	}
}

// Many dead letters are retried at once, each of them once; what is not asked
// for stays.
func TestManyDeadLetters(t *testing.T) {
	b := open(t, rabbittest.URL(t))
	const n = 1200 // several batches
	ms := make([]*broker.Message, n)
	for i := range ms {
		ms[i] = message("q")
	}
	for _, err := range b.EnqueueMany(testContext(t), ms) {
		if err != nil {
			t.Fatal(err)
		}
	}
	c := consume(t, b, "q", 10)
	for range n {
		receive(t, c).Settle(broker.Settlement{Verdict: broker.Dead})
	}
	if err := c.Close(testContext(t)); err != nil {
		t.Fatal(err)
	}
	deleted, err := b.DeleteDead(testContext(t), "q", ms[3].ID, ms[n-5].ID)
	if err != nil || deleted != 2 {
		t.Errorf("DeleteDead of two: %d, %v", deleted, err)
	}
	retried, err := b.RetryDead(testContext(t), "q")
	if err != nil || retried != n-2 {
		t.Errorf("RetryDead of all: %d, %v, want %d", retried, err, n-2)
	}
	left, err := b.DeadLetters(testContext(t), "q", n)
	if err != nil || len(left) != 0 {
		t.Errorf("%d dead letters are left, %v", len(left), err)
	}
	seen := make(map[string]bool)
	c = consume(t, b, "q", 10)
	for range n - 2 {
		d := receive(t, c)
		if seen[d.Message().ID] {
			t.Errorf("%s was retried twice", d.Message().ID)
		}
		seen[d.Message().ID] = true
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
}
