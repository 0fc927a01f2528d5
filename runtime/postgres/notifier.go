package postgres

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// notifier tells other processes what has changed, in transactions of its own, and not
// often: all commits that notify wait for each other in the whole server.
type notifier struct {
	b *Broker

	mu      sync.Mutex
	pending []string
	flying  bool
}

// notifyEvery is how long the next notification waits after one.
const notifyEvery = 50 * time.Millisecond

// notify tells others of topics, at once if nothing was told just now.
func (n *notifier) notify(topics ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, t := range topics {
		if !slices.Contains(n.pending, t) {
			n.pending = append(n.pending, t)
		}
	}
	if !n.flying && n.b.life.Err() == nil {
		n.flying = true
		n.b.goes(n.fly)
	}
}

// fly sends what is pending, and ends when nothing is.
func (n *notifier) fly(ctx context.Context) {
	for {
		n.mu.Lock()
		topics := n.pending
		n.pending = nil
		n.flying = len(topics) > 0
		n.mu.Unlock()
		if len(topics) == 0 {
			return
		}
		n.send(ctx, topics)
		if !sleep(ctx, notifyEvery) {
			return
		}
	}
}

// send tells others of topics. It does not try again: they find out by themselves.
func (n *notifier) send(ctx context.Context, topics []string) {
	n.b.try(ctx, func(ctx context.Context, q querier) error {
		_, err := q.Exec(ctx, "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, topic) FROM unnest($2::text[]) AS topic", n.b.channel(), topics)
		return err
	})
}

// flush sends what is pending at the end.
func (n *notifier) flush(ctx context.Context) {
	n.mu.Lock()
	topics := n.pending
	n.pending = nil
	n.mu.Unlock()
	if len(topics) > 0 {
		n.send(ctx, topics)
	}
}

// commitsAfter is when a transaction of the application may have committed, of whose
// end nobody tells.
var commitsAfter = []time.Duration{2 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond}

// laterFor tells others, and this process, of messages that are there once the
// application commits.
func (n *notifier) laterFor(ms []*broker.Message) {
	var queues []string
	for _, m := range ms {
		if !slices.Contains(queues, m.Queue) {
			queues = append(queues, m.Queue)
		}
	}
	n.afterCommit(func() {
		for _, q := range queues {
			n.b.claimer.hint(q, hint{})
		}
		n.notify(queues...)
	})
}

// laterControls tells others, and this process, of what is cancelled once the
// application commits.
func (n *notifier) laterControls() {
	n.afterCommit(func() {
		n.b.tellControls(nil)
		n.b.waiters.changed()
		n.notify(resultsTopic)
	})
}

// afterCommit calls tell when a transaction of the application may have committed.
func (n *notifier) afterCommit(tell func()) {
	for _, after := range commitsAfter {
		time.AfterFunc(after, func() {
			if !n.b.closed.Load() {
				tell()
			}
		})
	}
}
