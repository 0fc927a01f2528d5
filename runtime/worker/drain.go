package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// drain runs what is due, prints a summary, and returns how many messages were
// moved to the dead letters.
func (p *program) drain() (dead int64, err error) {
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
				p.status.show(fmt.Sprintf("draining: %d running, %d done, %d retried, %d dead", stats.Running, stats.Done, stats.Retried, stats.Dead))
			}
			return p.config.drainRetries && retries.dueWithin(p.config.grace)
		})
	}()
	err = s.run(ctx, stop)
	finish()
	err = cmp.Or(err, <-watched)
	p.status.show("")
	printSummary(p.stdout, s.counts.all(), slices.Concat(p.tables...).ShortNames())
	for _, q := range s.leftAlone(stop.ctx) {
		fmt.Fprintf(p.stdout, "%s is paused, left alone\n", q)
	}
	return s.worker.Stats().Dead, err
}

// awaitDrained returns nil once nothing is due. After each look at the queues
// it calls seen, which reports whether to go on waiting.
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
	idle := int64(busy)  // if nothing was due at the last look: messages settled by then
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
			return fmt.Errorf("cannot find out what is due: %w", err)
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
		if due, err := s.admin.Due(ctx, q); err == nil && due {
			left = append(left, q)
		}
	}
	return left
}

var errInterrupted = errors.New("stopped before all that is due was done")
