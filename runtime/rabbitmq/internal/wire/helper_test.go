package wire

import (
	"net"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/runtime/rabbitmq/internal/wire/wiretest"
)

// testConfig is for servers of wiretest. They send no heartbeats.
var testConfig = Config{Host: "test", User: "guest", Password: "guest", Vhost: "/", Heartbeat: 5 * time.Hour}

// connect returns a connection to a server, which it starts.
func connect(t testing.TB, s *wiretest.Server, client net.Conn) *Conn {
	t.Helper()
	s.Serve()
	c, err := Open(t.Context(), client, testConfig)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.End(ErrClosed) })
	return c
}

// libraryOn returns a connection of the library over a network connection that
// the test has put between the library and the transport.
func libraryOn(t testing.TB, conn net.Conn) *amqp.Connection {
	t.Helper()
	library, err := amqp.Open(conn, testConfig.library())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { library.CloseDeadline(time.Now().Add(time.Second)) })
	return library
}

func openChannel(t testing.TB, c *Conn) *Channel {
	t.Helper()
	ch, err := c.Channel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func openPublisher(t testing.TB, c *Conn) *Channel {
	t.Helper()
	ch, err := c.Publisher(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// consume consumes a queue under the tag "c".
func consume(t testing.TB, ch *Channel) {
	t.Helper()
	if err := ch.Consume("q", "c", 0, ""); err != nil {
		t.Fatal(err)
	}
}

// takeAll waits until n messages have arrived.
func takeAll(t testing.TB, ch *Channel, n int) (ds []*Delivery) {
	t.Helper()
	for len(ds) < n {
		more, err := ch.Wait(t.Context())
		if err != nil {
			t.Fatalf("after %d of %d messages: %v", len(ds), n, err)
		}
		ds = append(ds, more...)
	}
	return ds
}

// emptyPool lets nobody reuse the channels of earlier confirmations, which belong
// to a bubble of synctest, or to none.
func emptyPool() { confirmations = sync.Pool{New: confirmations.New} }

// isOver reports whether a channel of Go's is closed.
func isOver(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
