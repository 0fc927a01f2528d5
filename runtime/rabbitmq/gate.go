package rabbitmq

import (
	"context"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// The gate of a process lets nothing of any queue pass while a suspect runs, in this
// process (suspects.go) or in one that may die together with it.

var _ broker.Gatekeeper = (*Broker)(nil)

// Among implements [broker.Gatekeeper].
func (b *Broker) Among(alone func(ctx context.Context) (release func())) { b.alone = alone }

// gateStep is how often the progress behind a shut gate is looked at.
const gateStep = 5 * time.Millisecond

// What passes the gate of a consumer.
const (
	passAll int32 = iota
	passNone
	passSuspect // one, of this queue
)

// Quiet implements [broker.Gatekeeper].
func (b *Broker) Quiet(ctx context.Context) (resume func(), err error) {
	select {
	case b.gating <- struct{}{}: // this process is not at it itself
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	b.setGate(passNone)
	resume = func() {
		b.setGate(passAll)
		<-b.gating
	}
	if !b.awaitGate(ctx, func() bool { return b.isQuiet(passNone) }) {
		resume()
		return nil, ctx.Err()
	}
	return resume, nil
}

// setGate sets what passes the gates of all consumers.
func (b *Broker) setGate(pass int32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gate = pass
	for c := range b.consumers {
		c.gate.Store(pass)
		signal(c.recheck)
	}
}

// awaitGate waits until done, and returns false if ctx ends before that.
func (b *Broker) awaitGate(ctx context.Context, done func() bool) bool {
	for !done() {
		if !sleep(ctx, gateStep) {
			return false
		}
	}
	return true
}

// isQuiet reports whether all consumers obey the gate, and nothing runs.
func (b *Broker) isQuiet(pass int32) bool {
	for _, c := range b.consumersNow() {
		if !c.quiet(pass) {
			return false
		}
	}
	return true
}

// quiet reports whether a consumer obeys the gate, runs nothing, and all that it
// had is acknowledged.
func (c *consumer) quiet(pass int32) bool {
	sub := c.current.Load()
	return c.pace.running.Load() == 0 && (c.ctx.Err() != nil || sub != nil && sub.passes.Load() == pass && sub.acks.empty())
}

// consumersNow returns the consumers of the process.
func (b *Broker) consumersNow() (cs []*consumer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c := range b.consumers {
		cs = append(cs, c)
	}
	return cs
}
