package rabbitmq

import (
	"context"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire/wiretest"
)

// A delivery to a consumer that does not exist is the end of the subscription.
// What comes after it is not taken: the acker would take its tag for another's.
func TestUnknownConsumer(t *testing.T) {
	server, s := fakeSession(t)
	ch, err := s.Channel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	from := &source{class: classDefault}
	sub := &subscription{
		consumer: &consumer{b: &Broker{}, queue: "q"}, session: s, ch: ch, acks: newAcker(ch),
		fetchers: map[string]*fetcher{"known": {source: from}},
	}
	defer sub.acks.close()
	sub.ctx, sub.cancelCtx = context.WithCancelCause(t.Context())
	deliver := func(tag uint64, consumer string) {
		server.Send(wiretest.Delivery(wiretest.FirstChannel, tag, consumer, "q", "t", "{}")...)
		ch.Ready("q") // when the answer has come, the message has
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
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
}
