package brokers

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/bench/usage"
)

// A letter is a column of the table.
type letter string

// The letters.
const (
	letterA    letter = "A"    // one caller, tasks/s
	letterB64  letter = "B64"  // 64 callers, each waiting for its own task to be durable, tasks/s
	letterB256 letter = "B256" // 256 callers
	letterD10  letter = "D10"  // a worker drains preloaded tasks, concurrency 10, tasks/s
	letterD100 letter = "D100" // concurrency 100
	letterG    letter = "G"    // 64 callers and a worker (concurrency 100) together, tasks/s from end to end
	letterCPU  letter = "CPU"  // processor time of the process in G, µs/task
	letterE    letter = "E"    // enqueue to handler at 100 tasks/s, median in ms
)

var letters = []letter{letterA, letterB64, letterB256, letterD10, letterD100, letterG, letterCPU, letterE}

// parseLetters returns the letters of a list, all if it is empty.
func parseLetters(list string) ([]letter, error) {
	if list == "" {
		return letters, nil
	}
	var only []letter
	for name := range strings.SplitSeq(list, ",") {
		if !slices.Contains(letters, letter(name)) {
			return nil, fmt.Errorf("there is no letter %q; use %v", name, letters)
		}
		only = append(only, letter(name))
	}
	return only, nil
}

// A measure is an experiment, which yields some of the letters.
type measure struct {
	letters     []letter
	concurrency int // of the worker
	run         func(*measurement, context.Context) error
}

var measures = []measure{
	{[]letter{letterA}, 100, func(m *measurement, ctx context.Context) error {
		return m.enqueueThenDrain(ctx, 1, letterA, "")
	}},
	{[]letter{letterB64, letterD10}, 10, func(m *measurement, ctx context.Context) error {
		return m.enqueueThenDrain(ctx, 64, letterB64, letterD10)
	}},
	{[]letter{letterB256, letterD100}, 100, func(m *measurement, ctx context.Context) error {
		return m.enqueueThenDrain(ctx, 256, letterB256, letterD100)
	}},
	{[]letter{letterG, letterCPU}, 100, (*measurement).together},
	{[]letter{letterE}, 10, (*measurement).latency},
}

// A measurement is a measure of one row.
type measurement struct {
	row      row
	system   system
	ledger   *ledger
	duration time.Duration
	results  map[letter]float64
}

// enqueueThenDrain enqueues from a number of callers for the duration, and
// then starts a worker.
func (m *measurement) enqueueThenDrain(ctx context.Context, callers int, enqueued, drained letter) error {
	took, err := m.enqueue(ctx, callers)
	if err != nil {
		return err
	}
	m.results[enqueued] = float64(m.ledger.next.Load()) / took.Seconds()
	start := time.Now()
	if err := m.system.start(ctx); err != nil {
		return err
	}
	if err := m.ledger.await(ctx); err != nil {
		return err
	}
	if drained != "" {
		m.results[drained] = m.ledger.since(start)
	}
	return nil
}

// together enqueues while a worker executes.
func (m *measurement) together(ctx context.Context) error {
	if err := m.system.start(ctx); err != nil {
		return err
	}
	start, cpu := time.Now(), usage.CPU()
	if _, err := m.enqueue(ctx, 64); err != nil {
		return err
	}
	if err := m.ledger.await(ctx); err != nil {
		return err
	}
	m.results[letterG] = m.ledger.since(start)
	m.results[letterCPU] = float64((usage.CPU() - cpu).Microseconds()) / float64(m.ledger.next.Load())
	return nil
}

// enqueue enqueues from a number of callers for the duration. It returns how
// long it took.
func (m *measurement) enqueue(ctx context.Context, callers int) (time.Duration, error) {
	start := time.Now()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for time.Since(start) < m.duration && ctx.Err() == nil {
				if m.row.enough > 0 && m.ledger.next.Load() >= m.row.enough {
					return
				}
				if err := m.system.enqueue(ctx, m.ledger.take()); err != nil {
					cancel(fmt.Errorf("enqueue: %w", err))
				}
			}
		})
	}
	group.Wait()
	return time.Since(start), context.Cause(ctx)
}

// latency enqueues a task every 10 ms.
func (m *measurement) latency(ctx context.Context) error {
	if err := m.system.start(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(m.duration); time.Now().Before(end); <-tick.C {
		if err := m.system.enqueue(ctx, m.ledger.takeNow()); err != nil {
			return err
		}
	}
	if err := m.ledger.await(ctx); err != nil {
		return err
	}
	m.results[letterE] = m.ledger.median()
	return nil
}

// take takes one measure of a row and adds what it yields to results. It
// returns how many tasks were executed more than once.
func take(ctx context.Context, r row, me measure, place string, duration time.Duration, results map[letter]float64) (twice int64, err error) {
	runtime.GC()
	m := &measurement{row: r, ledger: newLedger(), duration: duration, results: results}
	m.system, err = r.open(ctx, setup{place: place, concurrency: me.concurrency, handle: m.ledger.handle})
	if err != nil {
		return 0, err
	}
	err = me.run(m, ctx)
	if stopErr := m.system.stop(ctx); err == nil {
		err = stopErr
	}
	if err != nil {
		return 0, err
	}
	return m.ledger.check()
}
