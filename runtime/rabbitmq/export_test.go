package rabbitmq

import (
	"context"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// SubscribeInVain has a consumer subscribe once more, and abandon that.
func SubscribeInVain(ctx context.Context, c broker.Consumer) error {
	consumer := c.(*consumer)
	s, err := consumer.session(ctx, nil)
	if err != nil {
		return err
	}
	sub, err := subscribe(ctx, consumer, s)
	if err == nil {
		sub.abandon()
	}
	return err
}

// Watched reports whether somebody waits for the outcome of a message, and is
// told of what is new.
func (b *Broker) Watched(id string) bool { return b.results.Watched(id) }

// PauseAcks has nothing acknowledged on the channel of a delivery.
func PauseAcks(d broker.Delivery) { d.(*delivery).sub.acks.pause(true) }

// SetClerkRetry sets how often a census that takes no records is tried again, until
// the function that it returns is called.
func SetClerkRetry(d time.Duration) (reset func()) {
	old := clerkRetry
	clerkRetry = d
	return func() { clerkRetry = old }
}
