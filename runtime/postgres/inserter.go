package postgres

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
)

const (
	// maxBatch and maxBatchSize bound the messages of one statement.
	maxBatch     = 500
	maxBatchSize = 8 << 20

	// flights is how many statements are under way at one time. What callers bring
	// meanwhile waits, and goes with the next one: they share its commit.
	flights = 2

	// lockPatience is how long a statement may wait for a lock, in PostgreSQL's
	// words. A message with the id of one that somebody else inserts in a
	// transaction waits for its end (blocked.go), and must not keep others waiting.
	lockPatience = "100ms"
)

// inserter puts the messages of many callers into one statement.
type inserter struct {
	b *Broker

	mu      sync.Mutex
	pending []*insert
	blocked []*insert // by transactions of others
	trying  bool      // to insert these
	flying  int
	landed  *sync.Cond

	duplicate atomic.Int64 // when an id was there already, in Unix nanoseconds
}

// put hands in messages.
func (i *inserter) put(in *insert) {
	if len(in.open()) == 0 {
		close(in.done)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.b.closed.Load() {
		in.end(broker.ErrClosed)
		return
	}
	i.pending = append(i.pending, in)
	if i.flying < flights {
		i.flying++
		i.b.goes(i.fly)
	}
}

// fly inserts what is pending, and ends when nothing is.
func (i *inserter) fly(ctx context.Context) {
	for {
		ins := i.take()
		if len(ins) == 0 {
			return
		}
		i.store(ctx, ins)
	}
}

// take takes as much as one statement may have. If that is nothing, the flight ends.
func (i *inserter) take() (ins []*insert) {
	i.mu.Lock()
	defer i.mu.Unlock()
	n, size := 0, 0
	for _, in := range i.pending {
		for _, m := range in.ms {
			if m != nil {
				n++
				size += len(m.Body)
			}
		}
		if len(ins) > 0 && (n > maxBatch || size > maxBatchSize) {
			break
		}
		ins = append(ins, in)
	}
	i.pending = slices.Delete(i.pending, 0, len(ins))
	if len(ins) == 0 {
		i.flying--
		if i.landed != nil {
			i.landed.Broadcast()
		}
	}
	return ins
}

// giveUp returns the errors of a caller who waits no longer. If his messages were
// sent, nobody knows.
func (i *inserter) giveUp(in *insert, err error) []error {
	i.mu.Lock()
	if at := slices.Index(i.pending, in); at >= 0 {
		i.pending = slices.Delete(i.pending, at, at+1)
		i.mu.Unlock()
		in.fail(err)
		return in.errs
	}
	in.given = true
	i.mu.Unlock()
	errs := make([]error, len(in.errs))
	select {
	case <-in.done: // just now
		return in.errs
	default:
	}
	for n := range errs {
		errs[n] = fmt.Errorf("%w: %w", broker.ErrUnknownOutcome, err)
	}
	return errs
}

// store inserts messages, until their outcome is known or their callers have given
// up.
func (i *inserter) store(ctx context.Context, ins []*insert) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := i.b.insertAll(ctx, ins)
		if err == nil {
			for _, in := range ins {
				close(in.done)
			}
			return
		}
		blocked := code(err) == codeLockTimeout
		if len(ins) > 1 && (blocked || !passes(err) && code(err) != codeNoTable) {
			for _, in := range ins { // it may be the fault of one
				i.store(ctx, []*insert{in})
			}
			return
		}
		if blocked {
			i.block(ins[0])
			return
		}
		err = i.b.explain(err)
		i.b.trouble.note(err)
		if ins = i.left(ins, err); len(ins) == 0 {
			return
		}
		if !sleep(ctx, pause) {
			for _, in := range ins {
				in.end(i.unknown(in, broker.ErrClosed))
			}
			return
		}
	}
}

// left returns what is to be tried again after an error: what may succeed, and has a
// caller who waits.
func (i *inserter) left(ins []*insert, err error) (left []*insert) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, in := range ins {
		switch {
		case in.given:
			close(in.done)
		case !passes(err):
			in.end(err)
		default:
			left = append(left, in)
		}
	}
	return left
}

func (i *inserter) unknown(in *insert, err error) error {
	if in.sent {
		return fmt.Errorf("%w: %w", broker.ErrUnknownOutcome, err)
	}
	return err
}

// drain waits until nothing is pending or under way.
func (i *inserter) drain(ctx context.Context) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.landed = sync.NewCond(&i.mu)
	defer context.AfterFunc(ctx, func() { i.mu.Lock(); i.landed.Broadcast(); i.mu.Unlock() })()
	for i.flying > 0 && ctx.Err() == nil {
		i.landed.Wait()
	}
	if i.flying > 0 {
		return fmt.Errorf("messages that were enqueued may be lost: %w", i.b.late(ctx))
	}
	return nil
}

// insertAll inserts messages in one statement, and notes the outcome of each.
func (b *Broker) insertAll(ctx context.Context, ins []*insert) error {
	var ms []*broker.Message
	sent := false
	for _, in := range ins {
		ms = append(ms, in.open()...)
		sent = sent || in.sent
	}
	stored := make([]bool, len(ms))
	err := b.try(ctx, func(ctx context.Context, q querier) error {
		clear(stored)
		return b.insertBriefly(ctx, q, ms, stored, sent)
	})
	if err != nil {
		if !unsent(err) && code(err) == "" {
			for _, in := range ins {
				in.sent = true
			}
		}
		return err
	}
	n := 0
	for _, in := range ins {
		for i, m := range in.ms {
			if m == nil {
				continue
			}
			// One that was sent before, and is there, is that one.
			if !stored[n] && !in.sent {
				in.errs[i] = broker.ErrDuplicate
			}
			in.ms[i] = nil
			n++
		}
	}
	b.arrived(ms)
	return nil
}

// insert inserts messages, and notes which of them were not there already.
func (b *Broker) insert(ctx context.Context, q querier, ms []*broker.Message, stored []bool) error {
	f := formOf(ms)
	args, err := f.args(ms)
	if err != nil {
		return err
	}
	r, err := q.Query(ctx, b.in(f.sql), args...)
	return readStored(r, err, ms, stored)
}

// insertBriefly is insert with a bound on how long it waits for locks. Most ids are new,
// and mayBeThere says which may not be.
func (b *Broker) insertBriefly(ctx context.Context, q querier, ms []*broker.Message, stored []bool, mayBeThere bool) error {
	f := formOf(ms)
	args, err := f.args(ms)
	if err != nil {
		return err
	}
	if !mayBeThere && !b.inserter.sawDuplicate() {
		_, err := q.Exec(ctx, b.in(f.fresh), args...)
		switch {
		case err == nil:
			for i := range stored {
				stored[i] = true
			}
			return nil
		case code(err) != codeDuplicate:
			return err
		}
		b.inserter.duplicate.Store(time.Now().UnixNano())
	}
	r, err := q.Query(ctx, b.in(f.patient), args...)
	return readStored(r, err, ms, stored)
}

// duplicateTime is for how long ids may be there already, once one was: the server logs
// each statement that fails.
const duplicateTime = time.Minute

// sawDuplicate reports whether an id was there already, not long ago.
func (i *inserter) sawDuplicate() bool {
	return time.Since(time.Unix(0, i.duplicate.Load())) < duplicateTime
}

// readStored reads the ids that were inserted, in the order of the messages.
func readStored(r pgx.Rows, err error, ms []*broker.Message, stored []bool) error {
	n := 0
	return rows(r, err, func(r pgx.Rows) error {
		id := r.RawValues()[0]
		for n < len(ms) && ms[n].ID != string(id) {
			n++
		}
		if n < len(ms) {
			stored[n] = true
			n++
		}
		return nil
	})
}
