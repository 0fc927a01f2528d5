package worker

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	text "github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/internal/secrets"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

const (
	// announceAgain is when the next try is after one that failed.
	announceAgain = 2 * time.Second

	// announcePatience bounds a try.
	announcePatience = 5 * time.Second

	// farewellPatience bounds the last one, for which the stop of the worker waits.
	farewellPatience = time.Second
)

// An announcer keeps the entry of this process in the registry of the broker, by
// which operators see who runs which build, and what.
type announcer struct {
	registry  broker.Registry  // nil if the broker has none
	catalogue broker.Catalogue // nil if the broker has none, or knows the tasks
	tasks     []broker.CatalogueTask
	process   broker.Process // what never changes
	service   *service
	stop      context.Context // ends when the process is to stop
	nudge     chan struct{}   // something has changed that operators wait for
	said      broker.ProcessState
	log       *slog.Logger
}

// newAnnouncer returns the announcer of a service.
func newAnnouncer(s *service, p *program, stop context.Context) *announcer {
	registry, _ := broker.As[broker.Registry](s.client.Broker())
	host, _ := os.Hostname()
	catalogue, _ := broker.As[broker.Catalogue](s.client.Broker())
	a := &announcer{registry: registry, catalogue: catalogue, tasks: catalogueTasks(p.boundTasks()), service: s, stop: stop, nudge: make(chan struct{}, 1), log: s.log, process: broker.Process{
		ID: s.id, Host: host, PID: os.Getpid(), Started: time.Now(), Build: build(),
	}}
	for _, t := range p.boundTasks() {
		a.process.Tasks = append(a.process.Tasks, broker.ProcessTask{
			Name: t.Name, Schema: t.Spec.Schema, Queue: t.Spec.Queue, Retries: t.Spec.Retries,
			Secrets: secrets.Of(t.Spec.Fields, t.Spec.Schema), Was: t.Spec.Was, Earlier: earlierOf(t),
		})
	}
	slices.SortFunc(a.process.Tasks, func(a, b broker.ProcessTask) int { return cmp.Compare(a.Name, b.Name) })
	return a
}

// run keeps the entry from when ready is closed until ctx ends, and withdraws it.
func (a *announcer) run(ctx context.Context, ready <-chan struct{}) {
	if a.registry == nil {
		return
	}
	select {
	case <-ready:
	case <-ctx.Done():
		return
	}
	for again := true; again; {
		again = a.rest(ctx, a.announce(ctx))
	}
	farewell, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewellPatience)
	defer cancel()
	if err := a.registry.Withdraw(farewell, a.process.ID); err != nil {
		a.log.Debug("the entry of this process stays in the registry for some seconds", "err", err)
	}
}

// rest waits for d, or until something has changed. It returns false if ctx ends first.
func (a *announcer) rest(ctx context.Context, d time.Duration) bool {
	stop := a.stop.Done()
	if a.said == broker.ProcessStopping {
		stop = nil
	}
	select {
	case <-time.After(d):
	case <-a.nudge:
	case <-stop:
	case <-ctx.Done():
		return false
	}
	return true
}

// announce renews the entry, and returns when to do so again.
func (a *announcer) announce(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, announcePatience)
	defer cancel()
	a.enterTasks(ctx)
	again, err := a.registry.Announce(ctx, a.now())
	if err != nil {
		if ctx.Err() == nil {
			a.log.Debug("operators cannot see this process", "err", err)
		}
		return announceAgain
	}
	return again
}

// now returns the entry of this moment.
func (a *announcer) now() broker.Process {
	p, stats := a.process, a.service.worker.Stats()
	p.Now = time.Now()
	concurrency, quiet := inside.Concurrency(a.service.worker)
	for _, q := range slices.Sorted(maps.Keys(concurrency)) {
		p.Queues = append(p.Queues, broker.ProcessQueue{Name: q, Concurrency: concurrency[q]})
	}
	p.State = broker.ProcessWorking
	switch {
	case a.stop.Err() != nil:
		p.State = broker.ProcessStopping
	case quiet:
		p.State = broker.ProcessQuiet
	}
	a.said = p.State
	p.Schedules = a.service.scheduler.announced()
	p.Done, p.Retried, p.Dead, p.Snoozed, p.HandedBack, p.Cancelled = stats.Done, stats.Retried, stats.Dead, stats.Snoozed, stats.HandedBack, stats.Cancelled
	p.Running = inside.Running(a.service.worker)
	p.RunningTotal = len(p.Running)
	slices.SortFunc(p.Running, func(a, b broker.ProcessRunning) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	p.Running = p.Running[:min(len(p.Running), broker.MaxProcessRunning)]
	return p
}

// earlierOf says what becomes of the earlier versions of a task's arguments.
func earlierOf(t dtask.BoundTask) (versions []broker.ProcessVersion) {
	for _, e := range t.Spec.Earlier {
		fate, reason := inside.Judge(t, e.Schema)
		versions = append(versions, broker.ProcessVersion{Schema: e.Schema, Fate: fate, Reason: text.Cut(reason, broker.MaxFateReason)})
	}
	return versions
}
