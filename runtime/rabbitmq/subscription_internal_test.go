package rabbitmq

import (
	"context"
	"testing"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/frame"
)

// A delivery to a consumer that does not exist is the end of the subscription.
// What comes after it is not taken: the acker would take its tag for another's.
func TestUnknownConsumer(t *testing.T) {
	ch := offline(t)
	ch.session.once.Do(func() { close(ch.session.closed) }) // it has no connection to be closed
	from := &source{class: classDefault}
	sub := &subscription{
		consumer: &consumer{queue: "q"}, session: ch.session, ch: ch, acks: newAcker(ch),
		consumers: map[string]*prefetching{"known": {source: from}},
	}
	defer sub.acks.close()
	sub.ctx, sub.cancelCtx = context.WithCancelCause(t.Context())
	deliver := func(tag uint64, consumer string) {
		ch.inbox = append(ch.inbox, &incoming{tag: tag, consumer: consumer, Properties: frame.Properties{Type: "t"}})
	}
	deliver(1, "known")
	deliver(2, "unknown")
	deliver(3, "known")
	sub.fetch()
	deliver(4, "known")
	sub.fetch()
	if sub.ctx.Err() == nil {
		t.Error("the subscription goes on")
	}
	if len(from.fetched) != 1 {
		t.Errorf("%d messages were taken, want 1", len(from.fetched))
	}
	for _, d := range from.fetched {
		d.Settle(dtask.Done)
	}
}
