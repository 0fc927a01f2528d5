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
	// orphansLook is the time between two looks for messages that nobody takes.
	orphansLook = 10 * time.Minute

	// orphansAgain is how often the same is logged again.
	orphansAgain = time.Hour

	// orphansConfirm is when a finding is looked at again before it is said: a
	// consumer may have been about to begin.
	orphansConfirm = 5 * time.Second

	// orphansPatience bounds a look.
	orphansPatience = 30 * time.Second
)

// An orphanWatch knows the queues that have messages and no consumer: a queue was
// renamed in a directive while messages waited, say. Nobody else would tell.
type orphanWatch struct {
	overseer broker.Overseer // nil if the broker cannot tell
	log      *slog.Logger

	mu    sync.Mutex
	found map[string]int // messages by queue
}

func newOrphanWatch(c *dtask.Client, log *slog.Logger) *orphanWatch {
	overseer, _ := broker.As[broker.Overseer](c.Broker())
	return &orphanWatch{overseer: overseer, log: log}
}

// watch looks again and again, from when ready is closed until ctx ends.
func (o *orphanWatch) watch(ctx context.Context, ready <-chan struct{}) {
	if o.overseer == nil {
		return
	}
	select {
	case <-ready:
	case <-ctx.Done():
		return
	}
	said := make(map[string]time.Time)
	for {
		found, err := o.look(ctx)
		if err == nil && len(found) > 0 {
			if !wait(ctx, orphansConfirm) {
				return
			}
			found, err = o.look(ctx)
		}
		if err == nil {
			o.set(found)
			maps.DeleteFunc(said, func(q string, _ time.Time) bool { return found[q] == 0 })
			for q, count := range found {
				if time.Since(said[q]) > orphansAgain-orphansLook/2 {
					said[q] = time.Now()
					o.log.Warn("nobody takes the messages of a queue; start a worker with -queues that names it, or was the queue of a task renamed?",
						"queue", q, "messages", count)
				}
			}
		} else if ctx.Err() == nil {
			o.log.Debug("cannot look for queues that nobody consumes", "err", err)
		}
		if !wait(ctx, orphansLook) {
			return
		}
	}
}

// look returns the messages that nobody takes, by queue.
func (o *orphanWatch) look(ctx context.Context) (map[string]int, error) {
	if o.overseer == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, orphansPatience)
	defer cancel()
	states, err := o.overseer.Orphans(ctx)
	if err != nil {
		return nil, err
	}
	found := make(map[string]int)
	for _, s := range states {
		found[s.Queue] = s.Ready + max(s.Delayed, 0)
	}
	return found, nil
}

func (o *orphanWatch) set(found map[string]int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.found = found
}

// last returns what the last look has found. It is not to be changed.
func (o *orphanWatch) last() map[string]int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.found
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
