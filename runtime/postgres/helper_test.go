package postgres

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// What every test of a broker uses.
var (
	testContext = brokertest.Context
	newMessage  = brokertest.Message
)

// openBroker opens a broker for the length of the test.
func openBroker(t *testing.T, url string) *Broker {
	t.Helper()
	b, err := Open(testContext(t), url, broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return b
}

// connect opens a connection beside the broker's.
func connect(t *testing.T, b *Broker) *pgx.Conn {
	t.Helper()
	c, err := b.connect(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// exec executes a statement that is written for the default namespace.
func exec(t *testing.T, b *Broker, sql string, args ...any) {
	t.Helper()
	c := connect(t, b)
	if _, err := c.Exec(testContext(t), b.in(sql), args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// one returns what a query results in.
func one[T any](t *testing.T, b *Broker, sql string, args ...any) (v T) {
	t.Helper()
	if err := connect(t, b).QueryRow(testContext(t), b.in(sql), args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}
