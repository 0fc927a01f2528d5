package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
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
	writing, written := context.WithCancel(context.WithoutCancel(ctx))
	var recording sync.WaitGroup
	recording.Go(func() { s.recorder.run(writing) })
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
	written()
	recording.Wait()
	err = cmp.Or(err, <-watched)
	p.status.show("")
	printSummary(p.stdout, s.counts.all(s.unrecorded()), slices.Concat(p.tables...).ShortNames())
	left := s.left(stop.ctx, retries.pending())
	for _, line := range left {
		fmt.Fprintln(p.stdout, printable(line))
	}
	if err == nil && len(left) > 0 {
		err = leftError{errors.New("drained, and not all is done; the summary has what is left")}
	}
	return s.worker.Stats().Dead, err
}

// left says what a drain has left undone, a line for each.
func (s *service) left(ctx context.Context, putOff int) (lines []string) {
	if putOff > 0 {
		lines = append(lines, fmt.Sprintf("%d put off: to be retried or run later, or handed back", putOff))
	}
	if n := s.worker.Stats().NotRecorded; n > 0 {
		lines = append(lines, fmt.Sprintf("%d outcomes not recorded by the broker; these tasks may run again", n))
	}
	for _, q := range s.leftAlone(ctx) {
		lines = append(lines, q+" is paused, left alone")
	}
	found, err := s.orphans.look(ctx)
	if err != nil {
		lines = append(lines, fmt.Sprintf("cannot find out what waits on other queues: %v", err))
	}
	for _, q := range slices.Sorted(maps.Keys(found)) {
		if !slices.Contains(s.queues, q) {
			lines = append(lines, fmt.Sprintf("%s has %d messages and no consumer; name it with -queues, or was the queue of a task renamed?", q, found[q]))
		}
	}
	return lines
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
	progress, said, before := answered, answered, int64(0) // when something was done last
	const busy = -1
	idle := int64(busy)  // if nothing was due at the last look: messages settled by then
	var looked time.Time // for paused queues
	for {
		due, err := s.due(ctx)
		stats := s.worker.Stats()
		if n := settled(stats); n != before || stats.Running > 0 {
			before, progress, said = n, time.Now(), time.Now()
		}
		if time.Since(said) > drainSay {
			said = time.Now()
			s.log.Warn("the drain waits: nothing was done for a while", "due_on_queue", due, "outcomes_not_recorded", stats.NotRecorded,
				"for", time.Since(progress).Round(time.Second), "err", err)
		}
		if time.Since(progress) > drainPatience && due != "" && stats.NotRecorded > 0 {
			return fmt.Errorf("queue %s has messages, and the broker has recorded no outcome for %v", due, drainPatience)
		}
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
		case idle == settled(stats) && stats.NotRecorded > 0 && time.Since(progress) < drainPatience:
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
