package rabbitmq

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

var _ broker.Pauser = (*Broker)(nil)

// A pauseEntry is a message of the queue of pauses, one for each. A fault can leave an
// older one of the same thing there.
type pauseEntry struct {
	broker.Pause
	At time.Time `json:"at"` // when it was stored
}

// Pause implements [broker.Pauser].
func (b *Broker) Pause(ctx context.Context, p broker.Pause) error {
	if err := p.Validate(); err != nil {
		return err
	}
	now := time.Now()
	if p.Since.IsZero() {
		p.Since = now
	}
	if p.What == broker.PauseQueue { // it is to be listed
		if err := b.change(ctx, func(s *session) error {
			return b.topology.ensure(ctx, s, classDefault, p.Name, -1)
		}); err != nil {
			return err
		}
	}
	entry, err := json.Marshal(pauseEntry{p, now})
	if err != nil {
		return err
	}
	if err := b.control(ctx, classPauses, b.topology.pauses(), entry); err != nil {
		return err
	}
	return b.changePauses(ctx, func(e pauseEntry) bool {
		return e.What == p.What && e.Name == p.Name && !e.At.Equal(now) || !e.InForce(now)
	}, word{Pause: &p})
}

// Resume implements [broker.Pauser].
func (b *Broker) Resume(ctx context.Context, what broker.Pausable, name string) error {
	return b.changePauses(ctx, func(e pauseEntry) bool {
		return e.What == what && e.Name == name || !e.InForce(time.Now())
	}, word{Resume: &broker.Pause{What: what, Name: name}})
}

// Pauses implements [broker.Pauser].
func (b *Broker) Pauses(ctx context.Context) ([]broker.Pause, error) {
	return ask(ctx, b, func(*session) ([]broker.Pause, error) { return b.controls.inForce(), nil })
}

// changePauses removes pauses that are over, and tells all workers.
func (b *Broker) changePauses(ctx context.Context, over func(pauseEntry) bool, w word) error {
	return b.change(ctx, func(s *session) error {
		return b.withControls(ctx, s, func() error {
			if err := b.eachPause(ctx, s, over, func(pauseEntry) {}); err != nil {
				return err
			}
			if err := b.tell(ctx, w); err != nil {
				return fmt.Errorf("the workers could not be told; repeat the call: %w", err)
			}
			b.hear(w)
			return nil
		})
	})
}

// readPauses returns the pauses that are in force. The caller holds the lock.
func (b *Broker) readPauses(ctx context.Context, s *session) ([]broker.Pause, error) {
	newest := make(map[pausable]pauseEntry)
	err := b.eachPause(ctx, s, func(pauseEntry) bool { return false }, func(e pauseEntry) {
		if key := (pausable{e.What, e.Name}); e.At.After(newest[key].At) {
			newest[key] = e
		}
	})
	var ps []broker.Pause
	for _, e := range newest {
		if e.InForce(time.Now()) {
			ps = append(ps, e.Pause)
		}
	}
	slices.SortFunc(ps, broker.Pause.Compare)
	return ps, err
}

// eachPause calls f for each pause that stays, and removes those that are over. The
// caller holds the lock.
func (b *Broker) eachPause(ctx context.Context, s *session, over func(pauseEntry) bool, f func(pauseEntry)) error {
	return b.browseLocked(ctx, s, b.topology.pauses(), math.MaxInt, arrivalGap, func(ds []*wire.Delivery) (remove []uint64, err error) {
		for _, d := range ds {
			var e pauseEntry
			if json.Unmarshal(d.Body, &e) != nil || over(e) {
				remove = append(remove, d.Tag)
				continue
			}
			f(e)
		}
		return remove, nil
	})
}

// ensurePauses declares the queue of pauses, unless that was done before.
func (t *topology) ensurePauses(ctx context.Context, s *session) error {
	return t.ensureAlone(ctx, s, t.pauses(), controlsQueue(nil))
}
