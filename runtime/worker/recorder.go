package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

const (
	// noteAgain is when the next try is after one that failed, and notePatience
	// bounds a try.
	noteAgain    = 2 * time.Second
	notePatience = 5 * time.Second

	// maxTallies is how many tallies of minutes that are over wait for the broker. If
	// it is away for so long that there are more, what comes then is counted in the
	// minute in which that began.
	maxTallies = 1000
)

// A recorder counts what becomes of messages, by minute, and writes it to the journal
// of the broker every few seconds.
type recorder struct {
	journal broker.Journal // nil if there is none, or none is to be written
	process string
	keep    time.Duration
	name    func(task string) string // under which a task is counted
	log     *slog.Logger

	mu   sync.Mutex
	now  map[taskOnQueue]*broker.Tally // what goes on
	over []broker.Tally                // minutes that are over

	// Of run alone.
	serial  int64
	pending []broker.Tally // of the batch that is not known to be written
}

type taskOnQueue struct{ task, queue string }

func newRecorder(s *service, keep time.Duration) *recorder {
	r := &recorder{process: s.id, keep: keep, name: s.counts.name, log: s.log, now: make(map[taskOnQueue]*broker.Tally)}
	if keep > 0 {
		r.journal, _ = broker.As[broker.Journal](s.client.Broker())
	}
	if r.journal != nil {
		inside.Observe(s.worker, r.note)
	}
	return r
}

// note counts what became of a message. It is called for each, so it takes the short way
// for what most of them are: a task of this program, by its present name, in the minute of
// the one before.
func (r *recorder) note(s inside.Settled) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.now[taskOnQueue{s.Task, s.Queue}]
	if t == nil || !isIn(t.Minute, s.Ended) {
		t = r.tally(taskOnQueue{r.name(s.Task), s.Queue}, s.Ended)
	}
	count(t, s)
}

// isIn reports whether a time is in a minute.
func isIn(minute, t time.Time) bool {
	d := t.Sub(minute)
	return 0 <= d && d < time.Minute
}

// tally returns what counts a task at a time, and puts by that of another minute.
func (r *recorder) tally(key taskOnQueue, at time.Time) *broker.Tally {
	t := r.now[key]
	if t != nil && !isIn(t.Minute, at) && len(r.over) < maxTallies {
		r.over = append(r.over, *t)
		t = nil
	}
	if t == nil {
		t = &broker.Tally{Minute: at.Truncate(time.Minute), Queue: key.queue, Task: key.task}
		r.now[key] = t
	}
	return t
}

// count adds what became of a message to a tally.
func count(t *broker.Tally, s inside.Settled) {
	switch s.Outcome {
	case dtask.OutcomeDone.String():
		t.Done++
	case dtask.OutcomeRetried.String():
		t.Retried++
	case dtask.OutcomeDead.String():
		t.Dead++
	case dtask.OutcomeSnoozed.String():
		t.Snoozed++
	case dtask.OutcomeCancelled.String():
		t.Cancelled++
		return // it may not have run
	default:
		t.HandedBack++
		return
	}
	t.Waited.Add(s.Waited)
	t.Ran.Add(s.Ended.Sub(s.Since))
	if f := s.Failure; f != nil {
		t.AddFailure(broker.TallyFailure{Kind: f.Kind, Messages: 1, At: s.Ended, ID: s.ID, Error: f.Error})
	}
}

// run writes until ctx ends, and then what is left.
func (r *recorder) run(ctx context.Context) {
	if r.journal == nil {
		return
	}
	for {
		try, cancel := context.WithTimeout(ctx, notePatience)
		again, err := r.write(try)
		cancel()
		if err != nil {
			again = noteAgain
			if ctx.Err() == nil {
				r.log.Debug("the journal is not written", "err", err)
			}
		}
		if !wait(ctx, again) {
			break
		}
	}
	farewell, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewellPatience)
	defer cancel()
	if _, err := r.write(farewell); err != nil {
		r.log.Warn("the journal lacks the last seconds of this process", "err", err)
	}
}

// write writes all that was counted, and returns when to do so again. A batch of which
// it is not known whether it was written is the first one of the next call.
func (r *recorder) write(ctx context.Context) (again time.Duration, err error) {
	again = noteAgain
	if r.pending != nil {
		if again, err = r.writePending(ctx); err != nil {
			return 0, err
		}
	}
	for left := r.take(); len(left) > 0; {
		n := min(len(left), broker.MaxBatch)
		r.serial++
		r.pending, left = left[:n:n], left[n:]
		if again, err = r.writePending(ctx); err != nil {
			r.putBack(left)
			return 0, err
		}
	}
	return again, nil
}

func (r *recorder) writePending(ctx context.Context) (again time.Duration, err error) {
	again, err = r.journal.Note(ctx, broker.Batch{Process: r.process, Serial: r.serial, Keep: r.keep, Tallies: r.pending})
	if err == nil {
		r.pending = nil
	}
	return again, err
}

// take takes what was counted so far.
func (r *recorder) take() []broker.Tally {
	r.mu.Lock()
	defer r.mu.Unlock()
	ts := r.over
	for _, t := range r.now {
		ts = append(ts, *t)
	}
	r.over = nil
	clear(r.now)
	return ts
}

// putBack keeps what was taken and not written.
func (r *recorder) putBack(ts []broker.Tally) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = append(ts, r.over...)
}
