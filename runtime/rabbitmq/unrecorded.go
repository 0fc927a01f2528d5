package rabbitmq

import (
	"sync"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// RabbitMQ confirms what is published, but no acknowledgement. So an outcome
// counts as recorded once what it publishes is confirmed, and once RabbitMQ has
// closed its channel in order: it does what was sent on a channel before that.
// The connection that acknowledges never publishes, for during an alarm RabbitMQ
// reads nothing from those that do.

// A ledger knows which outcomes of a consumer are not known to be recorded.
type ledger struct {
	mu   sync.Mutex
	open map[*acker]struct{}
	lost []broker.Unrecorded
}

// begin notes that a subscription has begun. What was lost before is delivered
// again, here or elsewhere, and so has another outcome.
func (l *ledger) begin(a *acker) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = make(map[*acker]struct{})
	}
	l.open[a] = struct{}{}
	l.lost = nil
}

// end notes that a subscription is over, and which outcomes were lost with it.
func (l *ledger) end(a *acker, lost []broker.Unrecorded) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, open := l.open[a]; open {
		delete(l.open, a)
		l.lost = append(l.lost, lost...)
	}
}

// late notes an outcome for which its subscription was over.
func (l *ledger) late(u broker.Unrecorded) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) == 0 {
		l.lost = append(l.lost, u)
	}
}

// Unrecorded implements broker.Consumer.
func (c *consumer) Unrecorded() []broker.Unrecorded {
	l := &c.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	us := append([]broker.Unrecorded(nil), l.lost...)
	for a := range l.open {
		us = append(us, a.underWay()...)
	}
	return us
}

// unrecorded returns what is to be said of a settlement that is not recorded.
func (d *delivery) unrecorded(s broker.Settlement) broker.Unrecorded {
	return broker.Unrecorded{ID: d.receipt.id, Task: d.receipt.task, Verdict: s.Verdict, Outcome: s.Outcome}
}

// underWay returns the outcomes that wait until what they publish is confirmed.
func (a *acker) underWay() (us []broker.Unrecorded) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.entries {
		if e := &a.entries[i]; e.state == claimed && e.d != nil && e.d.outcome.Verdict != 0 {
			us = append(us, e.d.outcome)
		}
	}
	return us
}

// doubtful returns those of the last outcomes whose acknowledgement RabbitMQ may
// not have: no more than it delivers without one.
func (a *acker) doubtful() (last []finished) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append(last, a.executed[max(0, len(a.executed)-a.prefetch):]...)
}

// lost returns the outcomes that are lost with the channel. proved says that
// RabbitMQ has all that was acknowledged.
func (a *acker) lost(proved bool) []broker.Unrecorded {
	us := a.underWay()
	if proved {
		return us
	}
	for _, f := range a.doubtful() {
		us = append(us, broker.Unrecorded{ID: f.id, Task: f.task, Verdict: broker.Done, Outcome: f.outcome})
	}
	return us
}
