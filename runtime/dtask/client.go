package dtask

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/internal/safelog"
)

// A Client enqueues tasks on a broker. It is safe for concurrent use; an
// application needs one.
type Client struct {
	broker     broker.Broker
	middleware []EnqueueMiddleware
	enqueue    EnqueueFunc  // deliver within the middleware; nil if there is none
	log        *slog.Logger // nil for slog.Default()
	now        func() time.Time
	limit      *enqueueLimit
	outbox     broker.Outbox // nil if there is none
	relay      broker.Relay  // of the outbox; nil if there is none
}

// A ClientOption is a setting of a [Client].
type ClientOption func(*Client)

// WithLogger sets the logger of a client, of its broker, and of its workers. A
// worker can have another one ([WorkerConfig]). The default is slog.Default(), at
// the time when the broker is opened or the worker is made.
func WithLogger(log *slog.Logger) ClientOption {
	return func(c *Client) { c.log = log }
}

// WithOutbox lets a client enqueue in transactions of your database, whatever its broker
// is, and relay what they have committed until it is closed. See package outbox. Nil is
// none.
func WithOutbox(o broker.Outbox) ClientOption {
	return func(c *Client) { c.outbox = o }
}

// beginRelay begins to relay what is in the outbox, if there is one.
func (c *Client) beginRelay() {
	if c.outbox != nil {
		c.relay = c.outbox.Relay(c.broker, safelog.New(c.Logger()))
	}
}

// Outbox returns the outbox of the client, for packages that watch it, or nil.
func (c *Client) Outbox() broker.Outbox { return c.outbox }

// store names the place where the broker has its messages.
func (c *Client) store() string {
	if i, ok := c.broker.(broker.Identified); ok {
		return i.Identity().Store
	}
	return ""
}

// Open returns a client of the broker that url names:
//
//	sqlite:tasks.db            a file on this machine (import runtime/sqlite)
//	amqp://user:pw@host/vhost  RabbitMQ (import runtime/rabbitmq)
//
// It returns when the broker has answered. If ctx ends before that, the error
// says why the broker did not answer. The packages of the brokers register
// themselves when they are imported, as drivers of database/sql do.
func Open(ctx context.Context, url string, opts ...ClientOption) (*Client, error) {
	c := NewClient(nil, opts...)
	var err error
	if c.broker, err = broker.Open(ctx, url, broker.Config{Logger: c.log}); err != nil {
		return nil, err
	}
	c.beginRelay()
	return c, nil
}

// NewClient returns a client of a broker that is open already.
func NewClient(b broker.Broker, opts ...ClientOption) *Client {
	c := &Client{broker: b, now: time.Now, limit: &enqueueLimit{timeout: enqueueTimeout}}
	for _, o := range opts {
		o(c)
	}
	if b != nil {
		c.beginRelay()
	}
	return c
}

// With returns a client of the same broker with more middleware. What it enqueues
// passes through the middleware in the order given, and then through the middleware
// of c.
func (c *Client) With(middleware ...EnqueueMiddleware) *Client {
	wrapped := *c
	wrapped.middleware = slices.Concat(middleware, c.middleware)
	wrapped.enqueue = wrapped.through(wrapped.deliver)
	return &wrapped
}

// Broker returns the broker of the client. Pass it to broker.As to ask what else
// the broker can do.
func (c *Client) Broker() broker.Broker { return c.broker }

// Logger returns the logger of the client, for packages that work with it.
func (c *Client) Logger() *slog.Logger { return cmp.Or(c.log, slog.Default()) }

// Admin returns the administration of the broker's queues: it lists, retries and
// deletes dead letters, and counts, pauses, resumes and purges queues. The error
// wraps [ErrUnsupported] if the broker has none.
func (c *Client) Admin() (broker.Admin, error) { return broker.As[broker.Admin](c.broker) }

// Close closes the broker. Stop the workers of the client first.
func (c *Client) Close() error {
	if c.relay != nil {
		c.relay.Stop()
	}
	return c.broker.Close()
}

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

// errNilClient is the error of a call that was given a nil client.
var errNilClient = errors.New("the client is nil; check the error of dtask.Open")

func clientFor(ctx context.Context) (*Client, error) {
	if c := FromContext(ctx); c != nil {
		return c, nil
	}
	return nil, ErrNoClient
}
