package rabbitmq

import (
	"context"
	"slices"
	"time"
)

// batchWindow is how many messages of a batch are outstanding. It is less than
// the window, so that a batch leaves room for others.
const batchWindow = window / 2

// A batched is one publication of a batch, with the state of its tries.
type batched struct {
	a   sending
	w   pending
	v   ruling
	err *error // where its error goes
}

// publishMany publishes all publications that are not nil, and sets their
// errors. Those that need another try wait for it together.
func (b *Broker) publishMany(ctx context.Context, ms []*publication, errs []error) {
	left := make([]*batched, 0, len(ms))
	for i, m := range ms {
		if m != nil {
			left = append(left, &batched{a: sending{b: b, m: m}, err: &errs[i]})
		}
	}
	for {
		b.publishAll(ctx, left)
		left = slices.DeleteFunc(left, func(m *batched) bool {
			*m.err = m.v.err
			return m.v.done
		})
		if len(left) == 0 {
			return
		}
		var pause time.Duration
		forget := false
		for _, m := range left {
			pause = max(pause, m.v.pause)
			forget = forget || m.v.forget
		}
		if !sleep(ctx, pause) {
			for _, m := range left {
				*m.err = m.v.late(ctx)
			}
			return
		}
		if forget {
			b.topology.forget()
		}
	}
}

// publishAll tries once to publish all messages. The room of one that is outstanding is
// free with its confirm, whoever waits for that, so batches do not wait for each other.
func (b *Broker) publishAll(ctx context.Context, ms []*batched) {
	judged := 0
	judge := func(until int) {
		for _, m := range ms[judged:until] {
			if !m.v.done {
				m.v = m.a.judge(ctx, m.w)
			}
		}
		judged = until
	}
	for i, m := range ms {
		judge(max(judged, i-batchWindow))
		w, err := m.a.send(ctx)
		m.w, m.v = w, ruling{done: err != nil, err: err}
	}
	judge(len(ms))
}
