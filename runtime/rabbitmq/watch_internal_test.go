package rabbitmq

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// A logged collects what is logged.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.buf.String(), text)
}

// A level is said to stand still when its probe is overdue, and to move when that comes
// after all. One level tells nothing of another.
func TestProbeOverdue(t *testing.T) {
	var said logged
	b := &Broker{topology: newTopology("shop"), log: slog.New(slog.NewTextHandler(&said, nil))}
	w := &watch{b: b, slack: time.Second}
	now := time.Now()
	w.sent[2], w.sent[3] = now.Add(-4*delayUnit-2*time.Second), now.Add(-4*delayUnit-2*time.Second)
	w.judge(3, now)
	if said.has("stands still") {
		t.Errorf("a probe that is in time: %s", &said.buf)
	}
	w.arrived(&wire.Delivery{Properties: wire.Properties{MessageID: "3"}})
	if said.has("moves again") {
		t.Errorf("a level that never stood still: %s", &said.buf)
	}
	w.judge(2, now)
	if !said.has("stands still") || !said.has("level="+b.topology.names.level(2)) {
		t.Errorf("a probe that is overdue: %s", &said.buf)
	}
	w.arrived(&wire.Delivery{Properties: wire.Properties{MessageID: "2"}})
	if !said.has("moves again") || !w.sent[2].IsZero() {
		t.Errorf("a probe that comes late: %s", &said.buf)
	}
}

// A level of delay that stands still is said to, by one of those who could; and when
// it moves again. Those who could are processes: on one connection both would have the
// queue of the probes, and each take the other's.
//
// RabbitMQ does not always let the level stand still that soon: the test belongs to the
// long form (make chaos).
func TestLevelStandsStill(t *testing.T) {
	if os.Getenv("DTASK_CHAOS") != "long" {
		return
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	url := rabbittest.URL(t)
	var said logged
	log := slog.New(slog.NewTextHandler(&said, nil))
	var bs []*Broker
	for range 2 {
		b, err := Open(ctx, url, broker.Config{Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		bs = append(bs, b)
	}
	b := bs[0]
	watching, stop := context.WithCancel(ctx)
	var watches sync.WaitGroup
	defer watches.Wait()
	defer stop()
	await := func(text string) {
		t.Helper()
		for !said.has(text) {
			if !sleep(ctx, 50*time.Millisecond) {
				t.Fatalf("the log does not say: %s\n%s", text, &said.buf)
			}
		}
	}
	m := storedMessage("m")
	m.Queue, m.NotBefore = "bad", time.Now().Add(1500*time.Millisecond)
	var ms []*broker.Message
	for range 100 { // if they are divided among two levels, as time goes on, each has 32
		ms = append(ms, m)
	}
	for _, err := range b.EnqueueMany(ctx, ms) {
		if err != nil {
			t.Fatal(err)
		}
	}
	bs[1].topology.level.Store(b.topology.level.Load()) // each watches the levels that it has used
	// Without the queue and without that of what is lost there is no way out.
	change := func(f func(*amqp.Channel) error) {
		t.Helper()
		if err := b.change(ctx, func(s *session) error { return s.Declare(ctx, f) }); err != nil {
			t.Fatal(err)
		}
	}
	change(func(ch *amqp.Channel) error {
		if _, err := ch.QueueDelete(b.topology.queue(classDue, "bad"), false, false, false); err != nil {
			return err
		}
		return ch.ExchangeDelete(b.topology.lost(), false, false)
	})
	sleep(ctx, 4*time.Second) // until they are due
	for _, b := range bs {
		watches.Go(func() { b.watchLevels(watching, 200*time.Millisecond, 500*time.Millisecond) })
	}
	await("stands still")
	await("level=" + rabbittest.Namespace(t, url) + ".wait.")
	b.topology.forget()
	change(b.topology.declareArrival)
	await("moves again")
}
