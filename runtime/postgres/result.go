package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.ResultStore = (*Broker)(nil)

// waiters are those who wait for outcomes. One question asks for all of them.
type waiters struct {
	b *Broker

	mu      sync.Mutex
	waiting map[*waiter]bool
	change  chan struct{} // 1: there may be outcomes
}

// A waiter waits for the outcome of a message.
type waiter struct {
	id   string
	done chan struct{}
	outcome
}

// outcome is what is known of a message: its result, why there is none, or neither
// while it is pending.
type outcome struct {
	result broker.Result
	err    error
	known  bool
}

// lookEvery is how often outcomes are looked for, whatever was notified.
const lookEvery = 250 * time.Millisecond

// Result implements [broker.ResultStore].
func (b *Broker) Result(ctx context.Context, id string) (broker.Result, error) {
	w := &waiter{id: id, done: make(chan struct{})}
	if err := b.call(ctx, func(ctx context.Context, q querier) error { return b.lookUp(ctx, q, []*waiter{w}) }); err != nil {
		return broker.Result{}, err
	}
	if w.known {
		return w.result, w.err
	}
	b.waiters.add(w)
	defer b.waiters.remove(w)
	b.listener.start()
	select {
	case <-w.done:
		return w.result, w.err
	case <-b.life.Done():
		return broker.Result{}, broker.ErrClosed
	case <-ctx.Done():
		return broker.Result{}, fmt.Errorf("%w: the task has no outcome yet", ctx.Err())
	}
}

func (ws *waiters) add(w *waiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if len(ws.waiting) == 0 {
		ws.waiting = make(map[*waiter]bool)
		change := make(chan struct{}, 1)
		ws.change = change
		ws.b.goes(func(ctx context.Context) { ws.run(ctx, change) })
	}
	ws.waiting[w] = true
	ws.changedLocked() // it may have come since the first look
}

func (ws *waiters) remove(w *waiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	delete(ws.waiting, w)
	if len(ws.waiting) == 0 {
		close(ws.change)
		ws.change = nil
	}
}

// changed makes the goroutine look.
func (ws *waiters) changed() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.changedLocked()
}

func (ws *waiters) changedLocked() {
	select {
	case ws.change <- struct{}{}:
	default:
	}
}

// run looks for outcomes as long as somebody waits.
func (ws *waiters) run(ctx context.Context, change <-chan struct{}) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case _, ok := <-change:
			if !ok {
				return
			}
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		all := ws.all()
		if err := ws.b.try(ctx, func(ctx context.Context, q querier) error { return ws.b.lookUp(ctx, q, all) }); err != nil && ctx.Err() == nil {
			ws.b.complain(err)
			continue
		}
		ws.answer(all)
	}
}

func (ws *waiters) all() (all []*waiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.waiting {
		all = append(all, w)
	}
	return all
}

// answer tells those who waited.
func (ws *waiters) answer(all []*waiter) {
	for _, w := range all {
		select {
		case <-w.done:
		default:
			if w.known {
				close(w.done)
			}
		}
	}
}

// lookUp finds out what is known of messages. They are looked up first: when one is
// gone its result is there already.
func (b *Broker) lookUp(ctx context.Context, q querier, ws []*waiter) error {
	byID := make(map[string]outcome)
	ids := make([]string, len(ws))
	for i, w := range ws {
		ids[i] = w.id
	}
	var batch pgx.Batch
	batch.Queue(b.in("SELECT id, task, state, keep, failures FROM dtask_messages WHERE id = ANY ($1::text[])"), ids)
	batch.Queue(b.in("SELECT id, task, value, cancelled FROM dtask_results WHERE id = ANY ($1::text[]) AND expires > statement_timestamp()"), ids)
	results := q.SendBatch(ctx, &batch)
	if err := readOutcomes(results, byID); err != nil {
		return errors.Join(err, results.Close())
	}
	if err := results.Close(); err != nil {
		return err
	}
	for _, w := range ws {
		o, stored := byID[w.id]
		if !stored {
			o = outcome{err: broker.ErrNoResult, known: true}
		}
		select {
		case <-w.done:
		default:
			w.outcome = o
		}
	}
	return nil
}

func readOutcomes(results pgx.BatchResults, byID map[string]outcome) error {
	r, err := results.Query()
	if err := rows(r, err, func(r pgx.Rows) error {
		var id, task string
		var state int16
		var keep int64
		var failures *string
		if err := r.Scan(&id, &task, &state, &keep, &failures); err != nil {
			return err
		}
		byID[id] = outcomeOf(task, state == 2, keep, failures)
		return nil
	}); err != nil {
		return err
	}
	r, err = results.Query()
	return rows(r, err, func(r pgx.Rows) error {
		var id string
		o := outcome{known: true}
		if err := r.Scan(&id, &o.result.Task, &o.result.Value, &o.result.Cancelled); err != nil {
			return err
		}
		if _, again := byID[id]; !again { // else one with the same id is there now
			byID[id] = o
		}
		return nil
	})
}

// outcomeOf is the outcome of a message that is there.
func outcomeOf(task string, dead bool, keep int64, failures *string) (o outcome) {
	if keep <= 0 {
		return outcome{err: fmt.Errorf("%w: this task asked for none", broker.ErrNoResult), known: true}
	}
	o.result.Task, o.known = task, dead
	if !dead || failures == nil {
		return o
	}
	var list []broker.Failure
	if err := json.Unmarshal([]byte(*failures), &list); err != nil {
		list = []broker.Failure{{Kind: broker.FailureUndecodable, Error: "the stored message is damaged: " + err.Error()}}
	}
	if n := len(list); n > 0 {
		o.result.Failure = &list[n-1]
	}
	return o
}
