package rabbitmq

import (
	"sync"
	"time"
)

// newChannels knows which queues are being tried on a new channel, and when they
// last refused one. The zero value knows of none.
type newChannels struct {
	mu     sync.Mutex
	queues map[string]*trial // by queue of RabbitMQ
}

type trial struct {
	busy    bool
	refused time.Time
}

// begin begins to try a queue, unless somebody does so already. done ends that.
func (n *newChannels) begin(queue string) (done func(refused bool), ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.queues[queue]
	switch {
	case t == nil:
		if n.queues == nil {
			n.queues = make(map[string]*trial)
		}
		t = &trial{}
		n.queues[queue] = t
	case t.busy:
		return nil, false
	}
	t.busy = true
	return func(refused bool) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if t.busy = false; refused {
			t.refused = time.Now()
		} else {
			delete(n.queues, queue)
		}
	}, true
}

// refusedSince reports whether a queue has refused a message on a new channel since
// a time.
func (n *newChannels) refusedSince(queue string, since time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.queues[queue]
	return t != nil && t.refused.After(since)
}
