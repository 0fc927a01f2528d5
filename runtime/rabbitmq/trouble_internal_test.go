package rabbitmq

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// A call that comes to nothing because its context ends says what the trouble of its
// connection is: somebody else may have heard of it.
func TestTroubleIsNamed(t *testing.T) {
	t.Parallel()
	opened, err := broker.Open(t.Context(), rabbittest.URL(t), broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	b := opened.(*Broker)
	for _, l := range []*link{b.consuming, b.waiting} {
		if err := l.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		l.trouble.note(errors.New("the queue has no leader"))
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range map[string]func() error{
		"Consume": func() error {
			_, err := b.Consume(over, broker.ConsumeOptions{Queue: "q", Concurrency: 1})
			return err
		},
		"Result": func() error {
			_, err := b.Result(over, "01890000-0000-7000-8000-000000000001")
			return err
		},
	} {
		if err := call(); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the queue has no leader") {
			t.Errorf("%s: %v, want that its context ended, and the last trouble", name, err)
		}
	}
}
