package rabbitmq

import (
	"sync"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// quarantine moves a message to the quarantine of its queue, see suspects.go:
// judge (receive.go) sends those there that may have killed
// their worker.
func (sub *subscription) quarantine(d *delivery) {
	p := sub.consumer.b.suspect(d.raw, &d.message)
	moved := sub.consumer.quarantining.begin(d.message.ID)
	sub.moving.Go(func() {
		defer moved()
		if sub.store(d, p) {
			sub.acks.settle(d)
			sub.acks.flush(true)
			// The answer to a question says that RabbitMQ has the acknowledgement
			// before it. Without the answer, the acknowledgement could be lost
			// with this process, which the message may be about to kill.
			sub.ch.Ready(p.name)
		}
	})
}

// suspect returns a message on its way to the quarantine.
func (b *Broker) suspect(d *wire.Delivery, m *broker.Message) *publication {
	var h wire.Builder
	h.Int(codec.HeaderAttempt, int64(m.Attempts))
	name := b.topology.queue(classQuarantine, m.Queue)
	return &publication{message: codec.Forward(d, h.Table()), queue: m.Queue, class: classQuarantine, name: name}
}

// moves holds the messages that this process is about to move. The zero value is
// empty.
type moves struct {
	mu sync.Mutex
	of map[string]chan struct{} // by id; closed at the end of the move
}

// begin notes that a message is being moved, until done is called.
func (m *moves) begin(id string) (done func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of == nil {
		m.of = make(map[string]chan struct{})
	}
	moved := make(chan struct{})
	m.of[id] = moved
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.of[id] == moved {
			delete(m.of, id)
		}
		close(moved)
	}
}

// await waits for the end of the move of a message, if there is one. It returns
// false if one of the others is closed before.
func (m *moves) await(id string, lost, closing <-chan struct{}) bool {
	m.mu.Lock()
	moved := m.of[id]
	m.mu.Unlock()
	if moved == nil {
		return true
	}
	select {
	case <-moved:
		return true
	case <-lost:
		return false
	case <-closing:
		return false
	}
}
