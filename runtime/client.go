package dtask

import (
	"context"
	"sync/atomic"
)

// A Client enqueues tasks on a broker. It is safe for concurrent use; an
// application needs one.
type Client struct {
	broker Broker
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
func NewClient(b Broker) *Client { return &Client{broker: b} }

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

func clientFor(ctx context.Context) (*Client, error) {
	if c := FromContext(ctx); c != nil {
		return c, nil
	}
	return nil, ErrNoClient
}
