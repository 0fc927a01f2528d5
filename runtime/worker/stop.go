package worker

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// A stopper tells a process to stop: first in good order, then at once.
type stopper struct {
	ctx    context.Context // ends when the process is to stop
	cancel context.CancelFunc
	now    chan struct{} // closed when it is to do so at once
	once   sync.Once
}

func newStopper() *stopper {
	s := &stopper{now: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// begin asks for a stop in good order.
func (s *stopper) begin() { s.cancel() }

// hurry asks for a stop at once.
func (s *stopper) hurry() {
	s.cancel()
	s.once.Do(func() { close(s.now) })
}

// stopSignals are the signals that ask a process to stop. A process without
// children stops at SIGHUP, too: its terminal is gone.
var stopSignals = []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}

// obeySignals lets the first signal begin the stop and the second one hurry
// it, until the returned function is called.
func (s *stopper) obeySignals(log *slog.Logger) (release func()) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, stopSignals...)
	done := make(chan struct{})
	go func() {
		for first := true; ; first = false {
			select {
			case <-done:
				return
			case sig := <-signals:
				if first {
					log.Info("signal received; a second one stops at once", "signal", sig.String())
					s.begin()
				} else {
					log.Warn("second signal received; stopping at once", "signal", sig.String())
					s.hurry()
				}
			}
		}
	}()
	return func() { signal.Stop(signals); close(done) }
}
