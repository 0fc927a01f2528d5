package codec

import (
	"fmt"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// headerDeath is where RabbitMQ notes why it has moved a message, the newest reason
// first.
const headerDeath = "x-death"

// MovedBy returns why RabbitMQ itself has moved a dead letter to where it is. It is
// not OK for one that a worker has moved.
func MovedBy(d *wire.Delivery) (f broker.Failure, ok bool) {
	v, _ := d.Headers.Get(headerDeath)
	death, ok := v.FirstTable()
	if !ok {
		return f, false
	}
	text := func(name string) string {
		v, _ := death.Get(name)
		text, _ := v.Text()
		return text
	}
	f = broker.Failure{Attempt: 1, Kind: broker.FailureError}
	if v, ok := death.Get("time"); ok {
		n, _ := v.Seconds()
		f.At = time.Unix(n, 0)
	}
	queue, why := text("queue"), text("reason")
	switch why {
	case "rejected":
		f.Kind, why = broker.FailureUndecodable, "a worker refused it"
	case "delivery_limit":
		f.Kind, why = broker.FailureCrash, "its workers died again and again"
	case "expired":
		f.Kind, why = broker.FailureExpired, "it was there for longer than a message-ttl, which no policy should set for it"
	case "maxlen":
		why = "the queue was longer than a policy allows"
	}
	f.Error = fmt.Sprintf("RabbitMQ has moved it here from %s: %s", queue, why)
	return f, true
}
