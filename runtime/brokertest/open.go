package brokertest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// openURL opens the store.
func openURL(t *testing.T, url string) broker.Broker {
	t.Helper()
	b, err := broker.Open(Context(t), url, broker.Config{})
	if err != nil {
		t.Fatalf("open the broker: %v", err)
	}
	return b
}

// open opens the store for the length of the test.
func open(t *testing.T, url string) broker.Broker {
	t.Helper()
	b := openURL(t, url)
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close the broker: %v", err)
		}
	})
	return b
}

// as returns a capability of the broker, which has it.
func as[Capability any](t *testing.T, b broker.Broker) Capability {
	t.Helper()
	c, err := broker.As[Capability](b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func admin(t *testing.T, b broker.Broker) broker.Admin { return as[broker.Admin](t, b) }

func pauser(t *testing.T, b broker.Broker) broker.Pauser { return as[broker.Pauser](t, b) }

func results(t *testing.T, b broker.Broker) broker.ResultStore { return as[broker.ResultStore](t, b) }

func ticks(t *testing.T, b broker.Broker) broker.TickStore { return as[broker.TickStore](t, b) }

// has reports whether the broker has a capability.
func has[Capability any](b broker.Broker) bool {
	_, err := broker.As[Capability](b)
	return err == nil
}

func closeConsumer(t *testing.T, c broker.Consumer) {
	t.Helper()
	if err := c.Close(Context(t)); err != nil {
		t.Errorf("close the consumer: %v", err)
	}
}

// deadLetters waits for n dead letters in the queue and returns them.
func deadLetters(t *testing.T, b broker.Broker, queue string, n int) []*broker.Message {
	t.Helper()
	var dead []*broker.Message
	Eventually(t, func() string {
		var err error
		if dead, err = admin(t, b).DeadLetters(Context(t), queue, 1000); err != nil {
			t.Fatalf("dead letters: %v", err)
		}
		if len(dead) == n {
			return ""
		}
		var what strings.Builder
		for _, m := range dead {
			fmt.Fprintf(&what, "\n%s %s %v", m.ID, m.Task, m.Failures)
		}
		return fmt.Sprintf("%d dead letters, want %d:%s", len(dead), n, what.String())
	})
	return dead
}
