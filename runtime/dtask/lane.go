package dtask

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A lane is a queue that a worker consumes. While it is quiet it has no consumer. When
// its concurrency is changed, or it has been quiet, it has another one: the former
// consumer fetches no more, and is closed when its last slot has ended.
//
// The slots of all consumers of a lane together are never more than its concurrency,
// but for those that were busy already. An idle slot waits for nothing but deliveries,
// so a task costs no more for it.
type lane struct {
	ctx   context.Context // of its tasks
	queue string

	// The mutex of the worker guards these.
	concurrency int
	consumer    broker.Consumer         // nil: quiet
	open        map[broker.Consumer]int // slots
}

// slots returns how many slots a lane has.
func (l *lane) slots() (n int) {
	for _, of := range l.open {
		n += of
	}
	return n
}

// openLane begins to consume a queue.
func (w *Worker) openLane(ctx context.Context, l *lane) error {
	w.changing.Lock()
	defer w.changing.Unlock()
	l.open = make(map[broker.Consumer]int)
	w.mu.Lock()
	w.lanes[l.queue] = l
	w.mu.Unlock()
	return w.renewLane(ctx, l, l.concurrency)
}

// renewLane gives a lane a new consumer, of the given concurrency, in the place of the
// one that it has. w.changing is held.
func (w *Worker) renewLane(ctx context.Context, l *lane, concurrency int) error {
	c, err := w.client.broker.Consume(ctx, broker.ConsumeOptions{Queue: l.queue, Concurrency: concurrency, Cancelled: w.cancel, Logger: w.log})
	if err != nil {
		return err
	}
	w.log.Info("consuming", "queue", l.queue, "concurrency", concurrency) // before its first task begins
	w.mu.Lock()
	defer w.mu.Unlock()
	w.consumers = append(w.consumers, c)
	if w.stopping {
		c.Stop() // close closes it
		return nil
	}
	former := l.consumer
	l.consumer, l.concurrency = c, concurrency
	w.leave(l, former)
	w.fillLane(l)
	return nil
}

// fillLane starts the slots that a lane lacks. w.mu is held.
func (w *Worker) fillLane(l *lane) {
	for l.consumer != nil && !w.stopping && l.slots() < l.concurrency {
		l.open[l.consumer]++
		w.occupied.Add(1)
		w.startSlot(l, l.consumer)
	}
}

// leave ends a consumer that a lane had: its idle slots end. w.mu is held.
func (w *Worker) leave(l *lane, former broker.Consumer) {
	if former == nil {
		return
	}
	former.Stop()
	if l.open[former] == 0 {
		w.retire(l, former)
	}
}

// slotEnded makes room for another slot. w.mu is held.
func (w *Worker) slotEnded(s *slot) {
	l := s.lane
	l.open[s.consumer]--
	if s.consumer == l.consumer || w.stopping {
		return // its deliveries have ended with the worker
	}
	if l.open[s.consumer] == 0 {
		w.retire(l, s.consumer)
	}
	w.fillLane(l)
}

// retirePatience is how long the outcomes of a former consumer may take to be recorded.
const retirePatience = time.Minute

// retire closes a former consumer, and forgets it unless it has outcomes that are not
// recorded. w.mu is held.
func (w *Worker) retire(l *lane, former broker.Consumer) {
	delete(l.open, former)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), retirePatience)
		defer cancel()
		if err := former.Close(ctx); err != nil || len(former.Unrecorded()) > 0 {
			return // closing it again says so at the end
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.stopping {
			w.consumers = slices.DeleteFunc(w.consumers, func(c broker.Consumer) bool { return c == former })
		}
	}()
}

// stopLanes keeps lanes from changing any more, and returns all consumers.
func (w *Worker) stopLanes() []broker.Consumer {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopping = true
	return slices.Clone(w.consumers)
}

// quiet has the worker fetch no more. What runs goes on.
func (w *Worker) quiet() {
	w.changing.Lock()
	defer w.changing.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopping {
		return
	}
	for _, l := range w.lanes {
		former := l.consumer
		l.consumer = nil
		w.leave(l, former)
	}
}

// resume has a quiet worker fetch again. After an error some of its queues are still
// quiet.
func (w *Worker) resume(ctx context.Context) error {
	w.changing.Lock()
	defer w.changing.Unlock()
	for _, l := range w.lanesWithout() {
		if err := w.renewLane(ctx, l, l.concurrency); err != nil {
			return fmt.Errorf("consume queue %q: %w", l.queue, err)
		}
	}
	return nil
}

// lanesWithout returns the lanes that are quiet.
func (w *Worker) lanesWithout() (ls []*lane) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.lanes {
		if l.consumer == nil && !w.stopping {
			ls = append(ls, l)
		}
	}
	return ls
}

// setConcurrency has the worker run n messages of a queue at once. If more run already,
// it waits for some to end.
func (w *Worker) setConcurrency(ctx context.Context, queue string, n int) error {
	w.changing.Lock()
	defer w.changing.Unlock()
	w.mu.Lock()
	l := w.lanes[queue]
	keep := l == nil || w.stopping || l.concurrency == n
	if !keep && l.consumer == nil {
		l.concurrency, keep = n, true // for when it is resumed
	}
	w.mu.Unlock()
	if l == nil {
		return fmt.Errorf("this worker does not consume queue %q", queue)
	}
	if keep {
		return nil
	}
	return w.renewLane(ctx, l, n)
}

// concurrencies returns the concurrency of each queue, and whether the worker is quiet.
func (w *Worker) concurrencies() (ns map[string]int, quiet bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ns = make(map[string]int)
	for queue, l := range w.lanes {
		ns[queue] = l.concurrency
		quiet = quiet || l.consumer == nil && !w.stopping
	}
	return ns, quiet
}
