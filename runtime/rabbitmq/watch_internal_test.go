package rabbitmq

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
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

// A level of delay that stands still is said to, by one of those who could; and when
// it moves again.
func TestLevelStandsStill(t *testing.T) {
	ctx, b := openInternal(t)
	var said logged
	b.log = slog.New(slog.NewTextHandler(&said, nil))
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
	for range 40 {
		ms = append(ms, m)
	}
	for _, err := range b.EnqueueMany(ctx, ms) {
		if err != nil {
			t.Fatal(err)
		}
	}
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
	for range 2 {
		watches.Go(func() { b.watchLevels(watching, 200*time.Millisecond, 500*time.Millisecond) })
	}
	await("stands still")
	await("level=" + b.topology.names.level(1))
	b.topology.forget()
	change(b.topology.declareArrival)
	await("moves again")
}
