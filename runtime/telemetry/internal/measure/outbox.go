package measure

import (
	"context"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// outboxPatience bounds the question to the database of the application, which may be
// away when the broker is not.
const outboxPatience = 2 * time.Second

// maxPlaces bounds the labels.
const maxPlaces = 20

// waiting returns what waits in the outbox: nothing if that does not answer.
func (b *Broker) waiting(ctx context.Context) []broker.Backlog {
	if b.outbox == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, outboxPatience)
	defer cancel()
	list, err := b.outbox.Waiting(ctx)
	if err != nil {
		return nil
	}
	return list[:min(len(list), maxPlaces)]
}

// readOutbox yields what waits in the outbox, as of the last answer.
func (b *Broker) readOutbox(yield func(*Metric, float64, ...string)) {
	b.mu.Lock()
	list := b.outboxed
	b.mu.Unlock()
	for _, w := range list {
		yield(outboxMessages, float64(w.Messages), w.For)
		if !w.Oldest.IsZero() {
			yield(outboxLatency, max(time.Since(w.Oldest), 0).Seconds(), w.For)
		}
	}
}
