package census

import (
	"context"
	"time"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire"
)

const (
	prefetch = 1000

	// maxTally is how many kinds are told apart. Anybody may write to a stream.
	maxTally = 10_000
)

// A Tally is what was read of a stream.
type Tally struct {
	Kinds map[Kind]Said // the zero one stands for all that are too many

	// Since is the time of the first record, if there were others before it.
	Since time.Time
	begun bool
}

// Said is what all records of a kind say together.
type Said struct {
	Seen   time.Time // when the newest one was published
	Latest time.Time // by when all are due
}

// Read reads a stream on a channel, from its beginning to the record with an id.
func Read(ctx context.Context, ch *wire.Channel, stream, until string) (*Tally, error) {
	var arguments wire.Builder
	arguments.Text(headerOffset, "first")
	if err := ch.Consume(stream, "census", prefetch, arguments.Table()); err != nil {
		return nil, err
	}
	t := &Tally{Kinds: make(map[Kind]Said)}
	for {
		ds, err := ch.Wait(ctx)
		if err != nil {
			return nil, err
		}
		for _, d := range ds {
			if d.MessageID == until {
				return t, nil
			}
			t.add(d)
		}
		if err := ch.Ack(ds[len(ds)-1].Tag, true); err != nil {
			return nil, err
		}
	}
}

// add adds a record.
func (t *Tally) add(d *wire.Delivery) {
	r, offset, ok := decode(d)
	at := time.Unix(d.Timestamp, 0)
	if !t.begun {
		if t.begun = true; offset > 0 {
			t.Since = at
		}
	}
	if !ok {
		return
	}
	said, known := t.Kinds[r.Kind]
	if !known && len(t.Kinds) >= maxTally {
		r.Kind = Kind{}
		said = t.Kinds[r.Kind]
	}
	if at.After(said.Seen) {
		said.Seen = at
	}
	if r.Latest.After(said.Latest) {
		said.Latest = r.Latest
	}
	t.Kinds[r.Kind] = said
}
