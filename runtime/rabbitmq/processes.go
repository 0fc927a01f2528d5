package rabbitmq

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// The processes that run tasks are in a queue of their own, whose messages RabbitMQ
// deletes when they are some seconds old: by its own clock, for those of two machines
// may differ by minutes. Each process puts its entry there again and again, and the
// newest one counts.
const (
	announceEvery = 2 * time.Second

	// announced is how old an entry gets. RabbitMQ deletes only the first one of a
	// queue, and who has looked at entries gives them back in another order, so that
	// an entry may last for twice as long.
	announced = 7 * time.Second
)

var _ broker.Registry = (*Broker)(nil)

// An announcement is a message of the queue of processes.
type announcement struct {
	Serial  int64          `json:"serial"` // of a process the highest one counts
	Gone    bool           `json:"gone,omitempty"`
	Process broker.Process `json:"process"`
}

// Announce implements [broker.Registry]. While RabbitMQ takes no messages, for want of
// memory or disk, it forgets all processes.
func (b *Broker) Announce(ctx context.Context, p broker.Process) (time.Duration, error) {
	return announceEvery, b.announce(ctx, announcement{Process: p})
}

// Withdraw implements [broker.Registry].
func (b *Broker) Withdraw(ctx context.Context, id string) error {
	return b.announce(ctx, announcement{Gone: true, Process: broker.Process{ID: id}})
}

func (b *Broker) announce(ctx context.Context, e announcement) error {
	e.Serial = b.announcements.Add(1)
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return b.publish(ctx, &publication{
		message: codec.Envelope{
			Properties: wire.Properties{ContentType: "application/json", DeliveryMode: wire.Persistent, Timestamp: time.Now().Unix()},
			Body:       body,
		},
		class: classProcesses,
		name:  b.topology.processes(),
	})
}

// ensureProcesses declares the queue of processes, unless that was done before.
func (t *topology) ensureProcesses(ctx context.Context, s *session) error {
	return t.ensureAlone(ctx, s, t.processes(), amqp.Table{
		amqp.QueueTypeArg:  amqp.QueueTypeQuorum,
		"x-delivery-limit": int64(unlimited),
		"x-message-ttl":    announced.Milliseconds(),
	})
}

// Processes implements [broker.Registry].
func (b *Broker) Processes(ctx context.Context) ([]broker.Process, error) {
	return ask(ctx, b, func(s *session) ([]broker.Process, error) {
		newest := make(map[string]announcement)
		err := b.browse(ctx, s, b.topology.processes(), maxBrowse, levelGap, func(ds []*wire.Delivery) ([]uint64, error) {
			for _, d := range ds {
				var e announcement
				if err := json.Unmarshal(d.Body, &e); err != nil {
					return nil, fmt.Errorf("queue %s has a message that is no process: %w", b.topology.processes(), err)
				}
				if e.Serial > newest[e.Process.ID].Serial {
					newest[e.Process.ID] = e
				}
			}
			return nil, nil
		})
		var ps []broker.Process
		for _, e := range newest {
			if !e.Gone {
				ps = append(ps, e.Process)
			}
		}
		slices.SortFunc(ps, broker.Process.Compare)
		return ps, err
	})
}
