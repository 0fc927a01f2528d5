package worker

import (
	"context"
	"slices"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// due returns a queue of the service that has messages waiting to be
// delivered, or "". It passes over the queues that lookForPaused found paused.
func (s *service) due(ctx context.Context) (queue string, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeInterval)
	defer cancel()
	for _, q := range s.queues {
		if s.paused[q] {
			continue
		}
		due, err := s.admin.Due(ctx, q)
		if err != nil {
			return "", err
		}
		if due {
			return q, nil
		}
	}
	return "", nil
}

// lookForPaused notes which queues are paused, for due. The broker has to look at
// every queue for that, so it is called only when messages are due and no worker
// takes them.
func (s *service) lookForPaused(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeInterval)
	defer cancel()
	states, err := s.admin.Queues(ctx)
	if err != nil {
		return err
	}
	s.paused = make(map[string]bool)
	for _, q := range states {
		s.paused[q.Queue] = q.Paused
	}
	s.tasksPaused = false
	pauser, err := broker.As[broker.Pauser](s.client.Broker())
	if err != nil {
		return nil // it can pause nothing
	}
	pauses, err := pauser.Pauses(ctx)
	s.tasksPaused = slices.ContainsFunc(pauses, func(p broker.Pause) bool { return p.What == broker.PauseTask })
	return err
}
