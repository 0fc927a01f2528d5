package measure

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

const (
	// stateFresh is how long an answer of the broker serves all who ask. A part of it
	// is random, so that many processes do not ask at the same moments.
	stateFresh = 5 * time.Second

	// stateStale is the age from which an answer is no longer shown.
	stateStale = time.Minute

	// statePatience bounds a question.
	statePatience = 20 * time.Second

	// Patience is how long somebody who asks here may well wait for the answer, rather
	// than get the one before.
	Patience = 2 * time.Second

	// orphansFresh is the time between two looks for queues without consumers, as
	// each of them looks at every queue.
	orphansFresh = 5 * time.Minute
)

// A Broker is asked for the state of its queues, when somebody wants to know, at most
// every few seconds, and in a goroutine of its own: one that does not answer is in
// nobody's way.
type Broker struct {
	broker broker.Broker
	outbox broker.Outbox // nil if there is none

	mu       sync.Mutex
	asking   chan struct{} // closed when the answer is there; nil: nobody asks
	next     time.Time     // when to ask again
	queues   []queueState
	at       time.Time
	closed   bool // the process ends
	outboxed []broker.Backlog
	orphans  []broker.QueueState
	orphaned time.Time // when to look for orphans again
}

// A queueState is the state of a queue, and since when its first message has been due.
type queueState struct {
	broker.QueueState
	oldest time.Time // zero: none is due, or the broker cannot tell
	aged   bool      // it can
}

// NewBroker returns what asks the broker of a client, and its outbox.
func NewBroker(c *dtask.Client) *Broker { return &Broker{broker: c.Broker(), outbox: c.Outbox()} }

// identity returns what the broker is.
func (b *Broker) identity() broker.Identity { return IdentityOf(b.broker) }

// IdentityOf returns what a broker is. One that does not say is called dtask.
func IdentityOf(b broker.Broker) broker.Identity {
	if i, ok := b.(broker.Identified); ok {
		return i.Identity()
	}
	return broker.Identity{System: "dtask"}
}

// state returns the last answer, and asks before if that is too old. It returns false if
// there is nobody to ask any more.
func (b *Broker) state(patience time.Duration) (queues []queueState, at time.Time, orphans []broker.QueueState, ok bool) {
	b.mu.Lock()
	if b.asking == nil && time.Now().After(b.next) {
		b.asking = make(chan struct{})
		go b.ask(b.asking)
	}
	asking := b.asking
	b.mu.Unlock()
	if asking != nil {
		select {
		case <-asking:
		case <-time.After(patience):
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.queues, b.at, b.orphans, !b.closed
}

// ask asks the broker, and closes answered.
func (b *Broker) ask(answered chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), statePatience)
	defer cancel()
	queues, err := b.queueStates(ctx)
	outboxed := b.waiting(ctx)
	b.mu.Lock()
	b.outboxed = outboxed
	if err == nil {
		b.queues, b.at = queues, time.Now()
	}
	b.closed = errors.Is(err, broker.ErrClosed)
	b.asking = nil
	b.next = time.Now().Add(stateFresh/2 + rand.N(stateFresh/2))
	look := err == nil && time.Now().After(b.orphaned)
	if look {
		b.orphaned = time.Now().Add(orphansFresh/2 + rand.N(orphansFresh/2))
	}
	b.mu.Unlock()
	close(answered)
	if overseer, err := broker.As[broker.Overseer](b.broker); look && err == nil {
		if orphans, err := overseer.Orphans(ctx); err == nil {
			b.mu.Lock()
			b.orphans = orphans
			b.mu.Unlock()
		}
	}
}

// queueStates asks for the state of all queues.
func (b *Broker) queueStates(ctx context.Context) (list []queueState, err error) {
	admin, err := broker.As[broker.Admin](b.broker)
	if err != nil {
		return nil, err
	}
	states, err := admin.Queues(ctx)
	ager, cannot := broker.As[broker.Ager](b.broker)
	for _, s := range states {
		q := queueState{QueueState: s, aged: cannot == nil}
		if q.aged && s.Ready > 0 && err == nil {
			q.oldest, err = ager.OldestDue(ctx, s.Queue)
		}
		list = append(list, q)
	}
	return list, err
}
