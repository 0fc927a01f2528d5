package worker

import (
	"cmp"
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"time"

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
	registry broker.Registry // nil if the broker has none
	process  broker.Process  // what never changes
	worker   *dtask.Worker
	log      *slog.Logger
}

// newAnnouncer returns the announcer of a service.
func newAnnouncer(s *service, p *program) *announcer {
	registry, _ := broker.As[broker.Registry](s.client.Broker())
	host, _ := os.Hostname()
	a := &announcer{registry: registry, worker: s.worker, log: s.log, process: broker.Process{
		ID: rand.Text(), Host: host, PID: os.Getpid(), Started: time.Now(), Build: build(),
	}}
	for _, t := range p.boundTasks() {
		a.process.Tasks = append(a.process.Tasks, broker.ProcessTask{Name: t.Name, Schema: t.Spec.Schema})
	}
	slices.SortFunc(a.process.Tasks, func(a, b broker.ProcessTask) int { return cmp.Compare(a.Name, b.Name) })
	for _, q := range s.queues {
		a.process.Queues = append(a.process.Queues, broker.ProcessQueue{Name: q, Concurrency: cmp.Or(p.config.queues[q], p.config.concurrency)})
	}
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
	for {
		again := a.announce(ctx)
		if !wait(ctx, again) {
			break
		}
	}
	farewell, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewellPatience)
	defer cancel()
	if err := a.registry.Withdraw(farewell, a.process.ID); err != nil {
		a.log.Debug("the entry of this process stays in the registry for some seconds", "err", err)
	}
}

// announce renews the entry, and returns when to do so again.
func (a *announcer) announce(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, announcePatience)
	defer cancel()
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
	p, stats := a.process, a.worker.Stats()
	p.Done, p.Retried, p.Dead, p.Snoozed, p.HandedBack = stats.Done, stats.Retried, stats.Dead, stats.Snoozed, stats.HandedBack
	p.Running = inside.Running(a.worker)
	p.RunningTotal = len(p.Running)
	slices.SortFunc(p.Running, func(a, b broker.ProcessRunning) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.ID, b.ID))
	})
	p.Running = p.Running[:min(len(p.Running), broker.MaxProcessRunning)]
	return p
}

// build says which program this is.
func build() (b broker.Build) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Module, b.Version, b.Go = info.Main.Path, info.Main.Version, info.GoVersion
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == "github.com/dtaskhq/dtask" {
			b.Runtime = m.Version
		}
	}
	return b
}
