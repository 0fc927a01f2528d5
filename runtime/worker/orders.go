package worker

import (
	"context"
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

// orderPatience bounds how long an order may take to be obeyed.
const orderPatience = 30 * time.Second

// obeyOperators obeys the orders for this process until ctx ends. Before it consumes it
// is in no registry, so that nobody can give it one.
func (s *service) obeyOperators(ctx context.Context, a *announcer, stop *stopper) {
	commander, err := broker.As[broker.Commander](s.client.Broker())
	if err != nil || a.registry == nil {
		return
	}
	select {
	case <-s.worker.Ready():
	case <-ctx.Done():
		return
	}
	for {
		err := commander.Orders(ctx, a.process.ID, func(o broker.Order) {
			if err := s.obey(ctx, o, stop); err != nil {
				s.log.Error("order of an operator not obeyed", "order", o.Kind, "err", err)
			}
			select {
			case a.nudge <- struct{}{}:
			default:
			}
		})
		if err == nil || ctx.Err() != nil {
			return
		}
		s.log.Debug("operators cannot give orders to this process", "err", err)
		if !wait(ctx, announceAgain) {
			return
		}
	}
}

// obey does what an operator wants.
func (s *service) obey(ctx context.Context, o broker.Order, stop *stopper) error {
	ctx, cancel := context.WithTimeout(ctx, orderPatience)
	defer cancel()
	concurrency, quiet := inside.Concurrency(s.worker)
	switch o.Kind {
	case broker.OrderQuiet:
		if !quiet {
			s.log.Warn("an operator has told this process to fetch no more; it finishes what it has, and stays")
		}
		inside.Quiet(s.worker)
	case broker.OrderResume:
		if quiet {
			s.log.Warn("an operator has told this process to fetch again")
		}
		return inside.Resume(ctx, s.worker)
	case broker.OrderStop:
		if stop.ctx.Err() == nil {
			s.log.Warn("an operator has told this process to stop")
		}
		stop.begin()
	case broker.OrderConcurrency:
		if before := concurrency[o.Queue]; before != o.Concurrency {
			s.log.Warn("an operator has changed the concurrency of a queue, until this process ends",
				"queue", o.Queue, "concurrency", o.Concurrency, "before", before)
		}
		return inside.SetConcurrency(ctx, s.worker, o.Queue, o.Concurrency)
	case broker.OrderReset:
		s.log.Warn("an operator has reset the newest tick of a periodic task", "task", o.Schedule)
		return s.scheduler.reset(ctx, o.Schedule)
	default:
		return fmt.Errorf("order %q is not known to this build", o.Kind)
	}
	return nil
}
