package worker

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

const (
	// neglectLook is the time between two looks for messages that nobody takes.
	neglectLook = 10 * time.Minute

	// neglectAgain is how often the same is logged again.
	neglectAgain = time.Hour

	// neglectConfirm is when a finding is looked at again before it is said: a
	// consumer may have been about to begin.
	neglectConfirm = 5 * time.Second

	// neglectPatience bounds a look.
	neglectPatience = 30 * time.Second
)

// A neglect knows the queues that have messages and no consumer: a queue was
// renamed in a directive while messages waited, say. Nobody else would tell.
type neglect struct {
	overseer broker.Overseer // nil if the broker cannot tell
	log      *slog.Logger

	mu    sync.Mutex
	found map[string]int // messages by queue
}

func newNeglect(c *dtask.Client, log *slog.Logger) *neglect {
	overseer, _ := broker.As[broker.Overseer](c.Broker())
	return &neglect{overseer: overseer, log: log}
}

// watch looks again and again, from when ready is closed until ctx ends.
func (n *neglect) watch(ctx context.Context, ready <-chan struct{}) {
	if n.overseer == nil {
		return
	}
	select {
	case <-ready:
	case <-ctx.Done():
		return
	}
	said := make(map[string]time.Time)
	for {
		found, err := n.look(ctx)
		if err == nil && len(found) > 0 {
			if !wait(ctx, neglectConfirm) {
				return
			}
			found, err = n.look(ctx)
		}
		if err == nil {
			n.set(found)
			maps.DeleteFunc(said, func(q string, _ time.Time) bool { return found[q] == 0 })
			for q, count := range found {
				if time.Since(said[q]) > neglectAgain-neglectLook/2 {
					said[q] = time.Now()
					n.log.Warn("nobody takes the messages of a queue; start a worker with -queues that names it, or was the queue of a task renamed?",
						"queue", q, "messages", count)
				}
			}
		} else if ctx.Err() == nil {
			n.log.Debug("cannot look for queues that nobody consumes", "err", err)
		}
		if !wait(ctx, neglectLook) {
			return
		}
	}
}

// look returns the messages that nobody takes, by queue.
func (n *neglect) look(ctx context.Context) (map[string]int, error) {
	if n.overseer == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, neglectPatience)
	defer cancel()
	states, err := n.overseer.Neglected(ctx)
	if err != nil {
		return nil, err
	}
	found := make(map[string]int)
	for _, s := range states {
		found[s.Queue] = s.Ready + max(s.Delayed, 0)
	}
	return found, nil
}

func (n *neglect) set(found map[string]int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.found = found
}

// last returns what the last look has found. It is not to be changed.
func (n *neglect) last() map[string]int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.found
}

// wait waits for d. It returns false if ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
