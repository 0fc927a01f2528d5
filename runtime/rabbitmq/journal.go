package rabbitmq

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/codec"
	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

// The journal is two streams: of batches of tallies, which are added up by who reads
// them, and of acts. Entries share the connection of the records of results: RabbitMQ
// ends that of who publishes to a stream which another client is just declaring.

var _ broker.Journal = (*Broker)(nil)

const (
	noteEvery = 5 * time.Second

	// keepJournal is how long it is kept if who declares it does not say.
	keepJournal = 7 * 24 * time.Hour

	// maxJournal is how many bytes are stored before RabbitMQ removes younger batches
	// as well. It removes whole segments, so these are small.
	maxJournal     = 1 << 30
	journalSegment = 4 << 20
)

// Note implements [broker.Journal].
func (b *Broker) Note(ctx context.Context, batch broker.Batch) (time.Duration, error) {
	b.topology.keepJournal.Store(int64(batch.Keep / time.Second))
	body, err := json.Marshal(batch)
	if err != nil {
		return 0, err
	}
	return noteEvery, b.publish(ctx, b.entry(classJournal, batch.Process, body))
}

// entry returns an entry of one of the streams on its way.
func (b *Broker) entry(c class, id string, body []byte) *publication {
	name := b.topology.namespace + "." + string(c)
	return &publication{
		message: codec.Envelope{
			Properties: wire.Properties{ContentType: "application/json", DeliveryMode: wire.Persistent, MessageID: id, Timestamp: time.Now().Unix()},
			Body:       body,
		},
		queue: name,
		class: c,
		name:  name,
	}
}

// ensureJournal declares the stream of tallies, unless it is there. It is kept for as
// long as who declared it wanted: RabbitMQ takes no other wish of others.
func (t *topology) ensureJournal(ctx context.Context, s *session) error {
	keep := cmp.Or(time.Duration(t.keepJournal.Load())*time.Second, keepJournal)
	return t.ensureStream(ctx, s, t.journal(), keep, maxJournal)
}

func (t *topology) ensureStream(ctx context.Context, s *session, name string, keep time.Duration, size int64) error {
	if _, ok := t.known.Load(name); ok {
		return nil
	}
	exists, err := queueExists(ctx, s, name)
	if err != nil || exists {
		if err == nil {
			t.known.Store(name, struct{}{})
		}
		return err
	}
	return t.ensureAlone(ctx, s, name, amqp.Table{
		amqp.QueueTypeArg:                 amqp.QueueTypeStream,
		amqp.StreamMaxAgeArg:              fmt.Sprintf("%ds", int64(keep/time.Second)),
		amqp.StreamMaxLenBytesArg:         size,
		amqp.StreamMaxSegmentSizeBytesArg: int64(journalSegment),
	})
}
