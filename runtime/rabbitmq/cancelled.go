package rabbitmq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

var _ broker.Canceller = (*Broker)(nil)

// Nobody can find a message of a given id in RabbitMQ. So what is cancelled is a list
// of ids, which all consumers know: a message with one of them is not run when it
// comes, and the context of one that runs ends. The list is a queue. RabbitMQ drops an
// entry when it is some days old, and takes no more when the list is full.
const (
	// cancelledFor is for how long a cancel counts.
	cancelledFor = 7 * 24 * time.Hour

	// maxCancelEntries is how many entries there are at most, and maxCancelSize how
	// many bytes: some 100,000 ids, if many are cancelled at a time.
	maxCancelEntries = 10_000
	maxCancelSize    = 4 << 20

	// cancelBatch is how many ids an entry has.
	cancelBatch = 500

	// maxKnownCancelled is from how many ids on a process forgets those that are old.
	maxKnownCancelled = maxCancelSize / 30
)

// A cancelEntry is an entry of the list: ids that were cancelled together.
type cancelEntry struct {
	IDs []string  `json:"ids"`
	At  time.Time `json:"at"`

	// Undone takes a cancel back: a dead letter is retried.
	Undone bool `json:"undone,omitempty"`
}

// Cancel implements [broker.Canceller]. RabbitMQ cannot tell which of the messages
// there are.
func (b *Broker) Cancel(ctx context.Context, ids ...string) (all []broker.Cancellation, err error) {
	for chunk := range slices.Chunk(ids, cancelBatch) {
		if err := b.enterCancelled(ctx, cancelEntry{IDs: chunk, At: time.Now()}); err != nil {
			return all, err
		}
		all = append(all, slices.Repeat([]broker.Cancellation{broker.CancelAsked}, len(chunk))...)
	}
	return all, nil
}

// enterCancelled puts an entry into the list, and tells all workers. Entries say
// themselves which is the newest, so it needs no lock.
func (b *Broker) enterCancelled(ctx context.Context, e cancelEntry) error {
	entry, err := json.Marshal(e)
	if err != nil {
		return err
	}
	err = b.control(ctx, classCancelled, b.topology.cancelled(), entry)
	if errors.Is(err, broker.ErrQueueFull) {
		return fmt.Errorf("the list of what was cancelled in the last %d days is full; to drop all of a queue, purge it: %w", cancelledFor/(24*time.Hour), err)
	}
	if err != nil {
		return err
	}
	if err := b.tell(ctx, word{Cancelled: &e}); err != nil {
		return fmt.Errorf("the workers could not be told; repeat the call: %w", err)
	}
	return nil
}

// undoCancel takes back a cancel of messages that are retried.
func (b *Broker) undoCancel(ctx context.Context, ids []string) error {
	ids = slices.DeleteFunc(ids, func(id string) bool { return !b.controls.isCancelled(id) })
	if len(ids) == 0 {
		return nil
	}
	e := cancelEntry{IDs: ids, At: b.controls.afterCancels(time.Now(), ids), Undone: true}
	if err := b.enterCancelled(ctx, e); err != nil {
		return err
	}
	b.controls.cancel(e)
	return nil
}

// afterCancels returns now, or a time after the cancels of these ids if they were made
// by a clock that is ahead.
func (c *controls) afterCancels(now time.Time, ids []string) time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, id := range ids {
		if at := c.cancelled[id].at; !now.After(at) {
			now = at.Add(time.Nanosecond)
		}
	}
	return now
}

// readCancelled reads the list. The caller holds the lock: what one looks at is hidden
// from others.
func (b *Broker) readCancelled(ctx context.Context, s *session) error {
	return b.browseLocked(ctx, s, b.topology.cancelled(), math.MaxInt, arrivalGap, func(ds []*wire.Delivery) (remove []uint64, err error) {
		for _, d := range ds {
			var e cancelEntry
			if json.Unmarshal(d.Body, &e) != nil {
				remove = append(remove, d.Tag)
				continue
			}
			b.hear(word{Cancelled: &e})
		}
		return remove, nil
	})
}

// ensureCancelled declares the list, unless that was done before.
func (t *topology) ensureCancelled(ctx context.Context, s *session) error {
	return t.ensureAlone(ctx, s, t.cancelled(), controlsQueue(amqp.Table{
		"x-message-ttl":       cancelledFor.Milliseconds(),
		"x-max-length":        int64(maxCancelEntries),
		"x-max-length-bytes":  int64(maxCancelSize),
		amqp.QueueOverflowArg: amqp.QueueOverflowRejectPublish,
	}))
}
