package broker

import (
	"context"
	"log/slog"
	"time"
)

// An Outbox keeps messages in a database of the application: they are enqueued on a
// broker after the transaction that they are part of has been committed. Package outbox
// has one.
type Outbox interface {
	// Relay begins to enqueue on b what the database holds for it.
	Relay(b Broker, log *slog.Logger) Relay

	// Waiting returns what waits in the database, of committed transactions: an entry
	// for each place that messages are for, whoever relays them.
	Waiting(ctx context.Context) ([]Backlog, error)
}

// A Relay moves messages from an outbox to one broker, and takes new ones for it.
type Relay interface {
	Transactor

	// Stop ends the relay. It waits for what is on its way.
	Stop()
}

// A Backlog is what waits in an outbox for one place.
type Backlog struct {
	For      string    `json:"for"` // the place: see [Identity].Store, or a name
	Messages int       `json:"messages"`
	Oldest   time.Time `json:"oldest"` // when the first of them was enqueued

	// Abandoned: no process that relays to this place has claimed the first of them
	// within a minute.
	Abandoned bool `json:"abandoned"`
}
