package rabbitmq

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

const (
	// maxTallies is how many tallies a chronicle holds at most, each less than a
	// kilobyte: the oldest minutes go first.
	maxTallies = 250_000

	// chronicleLinger is for how long a chronicle is kept up to date when nobody asks any
	// more: who looks at the journal looks again and again.
	chronicleLinger = time.Minute
)

// chronicles holds the newest chronicle. An older one, which begins later, ends when
// nobody asks it any more.
type chronicles struct {
	mu     sync.Mutex
	newest *chronicle // nil until somebody asks
}

// A chronicle is what the stream of tallies holds from a time on, added up. It follows
// the stream, so that who asks every second does not read it every second.
type chronicle struct {
	from     time.Time
	caughtUp chan struct{}
	ended    chan struct{} // closed once it follows no more
	err      error         // why; valid once ended is closed
	idle     *time.Timer   // stops it

	mu      sync.Mutex
	tallies map[tallyKey]*broker.Tally
	serials map[string]int64 // of the newest batch, by process
	lost    time.Time        // minutes before it were dropped for want of room
}

type tallyKey struct {
	minute      int64 // Unix seconds
	queue, task string
}

// Tallies implements [broker.Journal].
func (b *Broker) Tallies(ctx context.Context, since time.Time) ([]broker.Tally, error) {
	return onWaiting(ctx, b, func(s *session) ([]broker.Tally, error) {
		l := b.chronicles.join(b, s, since.Add(-clockSkew))
		select {
		case <-l.caughtUp:
			return l.since(since), nil
		case <-l.ended:
			return nil, l.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
}

// join returns a chronicle that begins at from, or earlier.
func (ls *chronicles) join(b *Broker, s *session, from time.Time) *chronicle {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.newest; l != nil && !isClosed(l.ended) && !from.Before(l.from) && l.idle.Reset(chronicleLinger) {
		return l
	}
	l := &chronicle{
		from: from, caughtUp: make(chan struct{}), ended: make(chan struct{}),
		tallies: make(map[tallyKey]*broker.Tally), serials: make(map[string]int64),
	}
	ctx, stop := context.WithCancel(context.Background())
	l.idle = time.AfterFunc(chronicleLinger, stop)
	ls.newest = l
	go func() {
		defer close(l.ended)
		defer stop()
		l.err = b.readEntries(ctx, s, classJournal, from, l.add, func() { close(l.caughtUp) })
	}()
	return l
}

// add adds a batch.
func (l *chronicle) add(d *wire.Delivery) {
	var batch broker.Batch
	if json.Unmarshal(d.Body, &batch) != nil {
		return // of a stranger
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if batch.Serial <= l.serials[batch.Process] {
		return // its confirm was lost, and it is there twice
	}
	l.serials[batch.Process] = batch.Serial
	for i := range batch.Tallies {
		t := &batch.Tallies[i]
		key := tallyKey{t.Minute.Unix(), t.Queue, t.Task}
		if sum := l.tallies[key]; sum != nil {
			sum.Add(t)
		} else if !t.Minute.Before(l.lost) {
			l.tallies[key] = t
		}
	}
	if len(l.tallies) > maxTallies {
		l.drop()
	}
}

// drop drops a tenth of the tallies, those of the oldest minutes.
func (l *chronicle) drop() {
	var minutes []int64
	for k := range l.tallies {
		minutes = append(minutes, k.minute)
	}
	slices.Sort(minutes)
	first := minutes[len(minutes)/10]
	l.lost = time.Unix(first, 0)
	for k := range l.tallies {
		if k.minute < first {
			delete(l.tallies, k)
		}
	}
}

// since returns the tallies of the minutes from a time on.
func (l *chronicle) since(since time.Time) (ts []broker.Tally) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.tallies {
		if !t.Minute.Before(since) {
			sum := *t
			sum.Failures = slices.Clone(t.Failures)
			ts = append(ts, sum)
		}
	}
	slices.SortFunc(ts, func(a, b broker.Tally) int { return a.Compare(&b) })
	return ts
}
