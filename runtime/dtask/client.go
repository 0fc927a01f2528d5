package dtask

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// A Client enqueues tasks on a broker. It is safe for concurrent use; an
// application needs one.
type Client struct {
	broker  Broker
	enqueue EnqueueFunc // the chain of middleware, or nil
	now     func() time.Time
}

// Open returns a client of the broker that url names:
//
//	sqlite:tasks.db            a file on this machine (import runtime/sqlite)
//	amqp://user:pw@host/vhost  RabbitMQ (import runtime/rabbitmq)
//
// It returns once the broker has answered, or with the reason why it does not
// by the end of ctx. The packages of the brokers register themselves when they
// are imported, as drivers of database/sql do.
func Open(ctx context.Context, url string) (*Client, error) {
	b, err := OpenBroker(ctx, url)
	if err != nil {
		return nil, err
	}
	return NewClient(b), nil
}

// NewClient returns a client of a broker that is open already.
func NewClient(b Broker) *Client { return &Client{broker: b, now: time.Now} }

// With returns a client of the same broker whose enqueues pass through the
// middleware, the first one outermost, and then through that of c.
func (c *Client) With(middleware ...EnqueueMiddleware) *Client {
	wrapped := *c
	if wrapped.enqueue == nil {
		wrapped.enqueue = c.broker.EnqueueMany
	}
	for _, mw := range slices.Backward(middleware) {
		wrapped.enqueue = mw(wrapped.enqueue)
	}
	return &wrapped
}

// WithClock returns a client of the same broker for which, and for whose
// workers, it is the time that now returns. It is for tests.
func (c *Client) WithClock(now func() time.Time) *Client {
	clocked := *c
	clocked.now = now
	return &clocked
}

// send enqueues one message.
func (c *Client) send(ctx context.Context, m *Message) error {
	if c.enqueue == nil {
		return c.broker.Enqueue(ctx, m)
	}
	return c.enqueue(ctx, []*Message{m})[0]
}

// sendMany enqueues a batch.
func (c *Client) sendMany(ctx context.Context, ms []*Message) []error {
	if c.enqueue == nil {
		return c.broker.EnqueueMany(ctx, ms)
	}
	return c.enqueue(ctx, ms)
}

// Broker returns the broker of the client, to inspect it.
func (c *Client) Broker() Broker { return c.broker }

// Close closes the broker. Workers of the client are to be stopped first.
func (c *Client) Close() error { return c.broker.Close() }

var defaultClient atomic.Pointer[Client]

// SetDefault makes c the client of every Delay whose context has none.
func SetDefault(c *Client) { defaultClient.Store(c) }

// Default returns the client set by [SetDefault], or nil.
func Default() *Client { return defaultClient.Load() }

type clientKey struct{}

// NewContext returns a context in which Delay uses c.
func NewContext(ctx context.Context, c *Client) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

// FromContext returns the client of ctx, or else the default one, or nil.
func FromContext(ctx context.Context) *Client {
	if c, ok := ctx.Value(clientKey{}).(*Client); ok {
		return c
	}
	return Default()
}

// errNilClient is the error of what needs a client and was given none.
var errNilClient = errors.New("the client is nil; check the error of dtask.Open")

func clientFor(ctx context.Context) (*Client, error) {
	if c := FromContext(ctx); c != nil {
		return c, nil
	}
	return nil, ErrNoClient
}
