package rabbitmq_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq"
)

// Who was told that queues are full gets through when their limit is taken away. In
// RabbitMQ 3.10 a channel that was refused stays so then, for each of the queues.
func TestLimitTakenAway(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	raw := rabbittest.URL(t)
	said := newLogs()
	b, err := rabbitmq.Open(testContext(t), raw, broker.Config{Logger: said.logger()})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	queues := []string{"one", "two"}
	for _, q := range queues {
		enqueue(t, b, message(q), message(q))
	}
	var unlimit []func()
	for _, q := range queues {
		unlimit = append(unlimit, fillQueue(t, raw, q))
		for range 2 {
			err := b.Enqueue(testContext(t), message(q))
			if !errors.Is(err, broker.ErrQueueFull) {
				t.Fatalf("enqueue into a queue beyond its limit: %v, want ErrQueueFull", err)
			}
		}
	}
	for _, take := range unlimit {
		take()
	}
	const rounds, each = 3, 20
	for range rounds {
		for _, q := range queues {
			enqueue(t, b, message(q))
		}
	}
	if lines := said.lines("is refused what a new one is not"); len(lines) == 0 {
		t.Error("the refused channel is still in use")
	}
	errs := make(chan error, 2*each)
	var all sync.WaitGroup
	for _, q := range queues {
		for range each {
			all.Go(func() { errs <- b.Enqueue(testContext(t), message(q)) })
		}
	}
	all.Wait()
	for i, err := range b.EnqueueMany(testContext(t), []*broker.Message{message("one"), message("two")}) {
		if err != nil {
			t.Errorf("in a batch, to %s: %v", queues[i], err)
		}
	}
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	states, err := b.Queues(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range states {
		if s.Ready != 2+rounds+each+1 {
			t.Errorf("%d messages in %s, want %d", s.Ready, s.Queue, 2+rounds+each+1)
		}
	}
}
