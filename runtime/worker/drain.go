package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

const (
	// drainLook is the time between two looks at the queues. They are drained
	// if nothing was due at one, nor at the next, and nothing moved meanwhile.
	drainLook = 250 * time.Millisecond

	// drainPatience is how long a drain bears with a broker that does not tell
	// what is due.
	drainPatience = time.Minute

	// retryLate is how late a retry may come that a drain waits for. One that
	// does not come went to another worker.
	retryLate = 5 * time.Second
)

// drain runs what is due, prints a summary, and returns how many messages went
// to the dead letters.
func (p *program) drain() (buried int64, err error) {
	stop := newStopper()
	defer stop.obeySignals(p.log)()
	retries := newRetries()
	s, err := p.newService(stop.ctx, retries.middleware)
	if err != nil {
		return 0, err
	}
	defer s.close()
	if err := s.scheduler.catchUp(stop.ctx); err != nil {
		return 0, err
	}

	ctx, finish := context.WithCancel(stop.ctx)
	defer finish()
	watched := make(chan error, 1)
	go func() {
		defer finish()
		watched <- s.awaitDrained(ctx, func(stats dtask.WorkerStats) (more bool) {
			if isTerminal(p.status) {
				p.status.show(fmt.Sprintf("draining: %d running, %d done, %d retried, %d dead", stats.Running, stats.Done, stats.Retried, stats.Buried))
			}
			return p.config.drainRetries && retries.dueWithin(p.config.grace)
		})
	}()
	err = s.run(ctx, stop)
	finish()
	err = cmp.Or(err, <-watched)
	p.status.show("")
	printSummary(p.stdout, s.counts.all())
	for _, q := range s.leftAlone(stop.ctx) {
		fmt.Fprintf(p.stdout, "%s is paused, left alone\n", q)
	}
	return s.worker.Stats().Buried, err
}

// awaitDrained returns nil once nothing is due. After each look at the queues
// it calls seen, which may demand to wait on.
func (s *service) awaitDrained(ctx context.Context, seen func(dtask.WorkerStats) (more bool)) error {
	select {
	case <-ctx.Done():
		return errInterrupted
	case <-s.worker.Ready():
	}
	tick := time.NewTicker(drainLook)
	defer tick.Stop()
	answered := time.Now()
	const busy = -1
	idle := int64(busy)  // or settled messages at the last look, when nothing was due
	var looked time.Time // for paused queues
	for {
		due, err := s.due(ctx)
		stats := s.worker.Stats()
		if err == nil && due != "" && stats.Running == 0 && time.Since(looked) > probeInterval {
			if err = s.lookForPaused(ctx); err == nil {
				looked = time.Now()
				due, err = s.due(ctx)
			}
		}
		switch {
		case ctx.Err() != nil:
			return errInterrupted
		case err != nil && time.Since(answered) > drainPatience:
			return fmt.Errorf("what is due cannot be told: %w", err)
		case err != nil:
		case seen(stats), due != "", stats.Running > 0:
			idle, answered = busy, time.Now()
		case idle == settled(stats):
			return nil
		default:
			idle, answered = settled(stats), time.Now()
		}
		select {
		case <-ctx.Done():
			return errInterrupted
		case <-tick.C:
		}
	}
}

// leftAlone returns the queues that a drain has left because they are paused,
// with messages that are due.
func (s *service) leftAlone(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, probeInterval)
	defer cancel()
	var left []string
	for _, q := range s.queues {
		if !s.paused[q] {
			continue
		}
		if due, err := s.client.Broker().Due(ctx, q); err == nil && due {
			left = append(left, q)
		}
	}
	return left
}

var errInterrupted = errors.New("stopped before all that is due was done")

// printSummary prints what a drain did, if it did anything.
func printSummary(w io.Writer, tasks map[string]taskCounts) {
	if len(tasks) == 0 {
		return
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "done\tretried\tdead\tput off\ttime\t  task")
	line := func(name string, c taskCounts) {
		fmt.Fprintf(tw, "%d\t%d\t%d\t%d\t%v\t  %s\n",
			c.Done, c.Retried, c.Buried, c.Snoozed+c.Returned, c.Took.Round(time.Millisecond), name)
	}
	var total taskCounts
	for _, name := range slices.Sorted(maps.Keys(tasks)) {
		line(name, tasks[name])
		total = total.plus(tasks[name])
	}
	if len(tasks) > 1 {
		line("all", total)
	}
	tw.Flush()
}

// retries remembers when the retries that this process has scheduled are due.
type retries struct {
	mu  sync.Mutex
	due map[string]time.Time // by message id
}

func newRetries() *retries { return &retries{due: make(map[string]time.Time)} }

func (r *retries) middleware(next dtask.HandleFunc) dtask.HandleFunc {
	return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
		o := next(ctx, m)
		if o.Kind == dtask.GivenUp {
			return o // its retry was scheduled before, and may have run
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.due, m.ID)
		if o.Kind == dtask.Retried {
			r.due[m.ID] = time.Now().Add(o.Delay)
		}
		return o
	}
}

// dueWithin reports whether a retry is due within d from now.
func (r *retries) dueWithin(d time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, due := range r.due {
		if wait := time.Until(due); wait <= d && wait > -retryLate {
			return true
		}
	}
	return false
}
