package codec

import (
	"math"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// DeliveryCount returns how often the message was delivered before and not
// settled. RabbitMQ from 4.0 on counts the delivery of a copy to the worker that
// renewed it. The attempt of the copy includes that one, so it is left out.
func DeliveryCount(d *wire.Delivery) int {
	var most int64
	for name, v := range d.Headers.All() {
		if name == headerDeliveryCount || name == headerAcquiredCount {
			n, _ := v.Int()
			most = max(most, n)
		}
	}
	if _, copied := d.Headers.Get(HeaderRenewed); copied && most > 0 {
		most--
	}
	return int(min(most, math.MaxInt32))
}

// Forward returns the AMQP form of a delivery to be published again: as it is,
// but for the changes of its headers. RabbitMQ's own headers are left behind. By
// x-death RabbitMQ would take the message for one that goes in circles, and keep it
// at a level of delay for ever; by CC it would make the producer's copies again.
func Forward(d *wire.Delivery, changes wire.Table) Envelope {
	var h wire.Builder
	for name, v := range d.Headers.All() {
		if _, changed := changes.Get(name); !changed && !reservedByRabbitMQ(name) {
			h.Value(name, v)
		}
	}
	for name, v := range changes.All() {
		h.Value(name, v)
	}
	if p := decodePriority(d.Priority); p != broker.PriorityDefault {
		if _, ok := d.Headers.Get(HeaderPriority); !ok {
			h.Int(HeaderPriority, int64(p))
		}
	}
	e := Envelope{Properties: d.Properties, Body: d.Body}
	e.Priority = 0
	e.Headers = h.Table()
	e.DeliveryMode = wire.Persistent
	return e
}
