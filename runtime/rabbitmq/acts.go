package rabbitmq

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

const (
	// keepActs is how long it is kept what operators did, and maxActs how many bytes
	// of it.
	keepActs = 90 * 24 * time.Hour
	maxActs  = 64 << 20
)

func (t *topology) ensureActs(ctx context.Context, s *session) error {
	return t.ensureStream(ctx, s, t.acts(), keepActs, maxActs)
}

// NoteAct implements [broker.Journal].
func (b *Broker) NoteAct(ctx context.Context, a broker.Act) error {
	body, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return b.publish(ctx, b.entry(classActs, a.ID, body))
}

// Acts implements [broker.Journal].
func (b *Broker) Acts(ctx context.Context, since time.Time) ([]broker.Act, error) {
	return onWaiting(ctx, b, func(s *session) ([]broker.Act, error) {
		newest := make(map[string]broker.Act)
		err := b.readEntries(ctx, s, classActs, since.Add(-clockSkew), func(d *wire.Delivery) {
			var a broker.Act
			if json.Unmarshal(d.Body, &a) != nil {
				return // of a stranger
			}
			// One whose confirm was lost is there twice, the second time maybe late.
			if before, ok := newest[a.ID]; !ok || before.Ended.IsZero() {
				newest[a.ID] = a
			}
		}, nil)
		var acts []broker.Act
		for _, a := range newest {
			if !a.Began.Before(since) {
				acts = append(acts, a)
			}
		}
		slices.SortFunc(acts, func(a, b broker.Act) int { return a.Began.Compare(b.Began) })
		return acts, err
	})
}
