package rabbitmq

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// Tests that need a server, and look inside.

func openInternal(t *testing.T) (context.Context, *Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // the patience of all tests
	t.Cleanup(cancel)
	b, err := Open(ctx, rabbittest.URL(t), broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return ctx, b
}

func storedMessage(id string) *broker.Message {
	return &broker.Message{ID: id, Task: "pkg.Task", Queue: "q", Body: []byte("{}"), Attempt: 1, Attempts: 1, EnqueuedAt: time.Now()}
}

// A channel that we close while RabbitMQ closes it costs no other: its number is
// free only when both are answered.
func TestCrossedClose(t *testing.T) {
	t.Parallel()
	ctx, b := openInternal(t)
	s, err := b.publishing.session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		ch, err := s.Publisher(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ch.Publish("no such exchange", "k", &wire.Properties{MessageID: "x"}, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		ch.Close() // RabbitMQ is about to close it for the exchange
	}
	if err := s.Err(); err != nil {
		t.Errorf("the connection was lost: %v", err)
	}
}

// RabbitMQ ends the connection of who publishes to a stream that another client is
// declaring, for it has no leader yet. That is not to be the connection of messages:
// those that are on their way would be published twice.
func TestJournalApart(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	for range 5 {
		url := rabbittest.URL(t)
		var noting sync.WaitGroup
		for _, process := range []string{"a", "b", "c"} {
			b, err := Open(ctx, url, broker.Config{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { b.Close() })
			s, err := b.publishing.session(ctx)
			if err != nil {
				t.Fatal(err)
			}
			noting.Go(func() {
				if _, err := b.Note(ctx, broker.Batch{Process: process, Serial: 1, Keep: time.Hour}); err != nil {
					t.Errorf("note: %v", err)
				}
				if err := s.Err(); err != nil {
					t.Errorf("the connection for messages was lost: %v", err)
				}
			})
		}
		noting.Wait()
	}
}

// If a level of delay is deleted, what is to pass it waits above, and nobody is
// told. It is declared again before long.
func TestLowerLevelDeleted(t *testing.T) {
	t.Parallel()
	ctx, b := openInternal(t)
	c, err := b.Consume(ctx, broker.ConsumeOptions{Queue: "q", Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	err = b.change(ctx, func(s *session) error {
		return s.Declare(ctx, func(ch *amqp.Channel) error {
			if _, err := ch.QueueDelete(b.topology.names.level(0), false, false, false); err != nil {
				return err
			}
			return ch.ExchangeDelete(b.topology.names.level(0), false, false)
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	b.topology.levelsTime.Add(-int64(levelsTrust/time.Second) - 1)
	m := storedMessage("delayed")
	m.NotBefore = time.Now().Add(2500 * time.Millisecond) // 3 s: levels 1 and 0
	if err := b.Enqueue(ctx, m); err != nil {
		t.Fatal(err)
	}
	select {
	case d := <-c.Deliveries():
		d.Settle(broker.Settlement{Verdict: broker.Done})
	case <-ctx.Done():
		t.Error("the message does not pass the levels")
	}
}

// All dead letters are retried, also if there are more than can be looked at in
// one go; and no more than there were.
func TestRetryAll(t *testing.T) {
	t.Parallel()
	ctx, b := openInternal(t)
	most := 1000
	if os.Getenv("DTASK_CHAOS") == "long" {
		most = maxBrowse
	}
	n := 2*most + 500
	ps := make([]*publication, n)
	for i := range ps {
		p, err := codec.Encode(storedMessage("same"))
		if err != nil {
			t.Fatal(err)
		}
		ps[i] = &publication{message: p, queue: "q", class: classDead, name: b.topology.queue(classDead, "q")}
	}
	errs := make([]error, n)
	b.publishMany(ctx, ps, errs)
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		t.Fatal(errs[i])
	}
	retried, err := b.takeDead(ctx, "q", most, nil, func(ds []*wire.Delivery) []error { return b.reviveMany(ctx, ds, "q") })
	if retried != n || err != nil {
		t.Errorf("retried %d, %v, want %d", retried, err, n)
	}
}

func refusal(text string) error {
	return &amqp.Error{Code: amqp.AccessRefused, Reason: text, Server: true}
}

// A permission that one message lacks is no matter of those that are published
// elsewhere at the same time.
func TestLearnRefusal(t *testing.T) {
	b := &Broker{config: &config{namespace: "ns"}}
	for text, concerns := range map[string]bool{
		"ACCESS_REFUSED - access to exchange 'ns.wait.01' in vhost '/' refused for user 'u'":                             true,
		"ACCESS_REFUSED - access to exchange 'amq.default' in vhost '/' refused for user 'u'":                            false,
		"ACCESS_REFUSED - access to exchange 'ns.wait.02' in vhost '/' refused for user 'u'":                             false,
		"ACCESS_REFUSED - write access to exchange 'ns.wait.01' in vhost '/' refused for user 'u'; and more in versions": true,
	} {
		err := b.learn(refusal(text), route{exchange: "ns.wait.01", key: "1.q"})
		if (err != nil) != concerns {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := b.learn(refusal("access to exchange 'amq.default' in vhost '/' refused"), direct("ns.queue.q")); err == nil {
		t.Error("a refusal of the default exchange does not concern what is published by it")
	}
}
