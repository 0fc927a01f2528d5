package broker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// nothing is a broker without capabilities.
type nothing struct{}

func (nothing) Enqueue(context.Context, *broker.Message) error         { return nil }
func (nothing) EnqueueMany(context.Context, []*broker.Message) []error { return nil }
func (nothing) Close() error                                           { return nil }
func (nothing) Consume(context.Context, broker.ConsumeOptions) (broker.Consumer, error) {
	return nil, broker.ErrClosed
}

// deduplicating is a broker with one capability.
type deduplicating struct{ nothing }

func (deduplicating) RefusesDuplicates() {}

func ExampleAs() {
	_, err := broker.As[broker.Deduplicator](deduplicating{})
	fmt.Println(err)
	_, err = broker.As[broker.Admin](deduplicating{})
	fmt.Println(err)
	// Output:
	// <nil>
	// not supported by this broker: broker_test.deduplicating has no Admin
}

func TestRegister(t *testing.T) {
	var got broker.Config
	broker.Register("nothing", func(_ context.Context, url string, c broker.Config) (broker.Broker, error) {
		got = c
		return nothing{}, nil
	})
	log := slog.New(slog.DiscardHandler)
	if b, err := broker.Open(t.Context(), "nothing://here", broker.Config{Logger: log}); b != (nothing{}) || err != nil || got.Logger != log {
		t.Errorf("opened %v, %v with %+v", b, err, got)
	}
	if _, err := broker.Open(t.Context(), "nothing:", broker.Config{}); err != nil || got.Logger != slog.Default() {
		t.Errorf("error %v; the logger is not the default one", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a scheme was registered twice")
		}
	}()
	broker.Register("nothing", nil)
}

func TestValidate(t *testing.T) {
	valid := broker.Message{ID: "1", Task: "example.com/mail.Send", Queue: "mail", Attempt: 1, Attempts: 1, EnqueuedAt: time.Now()}
	if err := valid.Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*broker.Message){
		"id \"\" has 0 bytes":                func(m *broker.Message) { m.ID = "" },
		"has 101 bytes; give it 1 to 100":    func(m *broker.Message) { m.ID = strings.Repeat("i", 101) },
		"task name \"\": use 1 to 250 bytes": func(m *broker.Message) { m.Task = "" },
		"use 1 to 250 bytes":                 func(m *broker.Message) { m.Task = strings.Repeat("t", 251) },
		"task name \"a\\nb\"":                func(m *broker.Message) { m.Task = "a\nb" },
		"queue name \"a/b\": use 1 to 100":   func(m *broker.Message) { m.Queue = "a/b" },
		"retries -1: use 0 to 1000000":       func(m *broker.Message) { m.Attempts = 0 },
		"retries 1000001: use 0 to 1000000":  func(m *broker.Message) { m.Attempts = 1_000_002 },
		"attempt 0: the first one is 1":      func(m *broker.Message) { m.Attempt = 0 },
		"keep -1ns: use a positive time":     func(m *broker.Message) { m.Keep = -1 },
		"priority(2): use PriorityLow":       func(m *broker.Message) { m.Priority = 2 },
		"use a time up to the year 9999":     func(m *broker.Message) { m.NotBefore = time.Unix(1<<40, 0) },
		"set the clock to a year up to 9999": func(m *broker.Message) { m.EnqueuedAt = time.Unix(1<<40, 0) },
		"1048577 bytes of arguments":         func(m *broker.Message) { m.Body = make([]byte, 1<<20+1) },
		"store the data and pass its key":    func(m *broker.Message) { m.Body = make([]byte, 1<<20+1) },
	} {
		m := valid
		change(&m)
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	large := valid
	large.Body = make([]byte, broker.MaxBodySize+1)
	if err := large.Validate(); !errors.Is(err, broker.ErrTooLarge) {
		t.Errorf("error %v, want ErrTooLarge", err)
	}
}

func TestSetHeader(t *testing.T) {
	var m broker.Message
	m.SetHeader("a", "1")
	m.SetHeader("a", "2")
	if len(m.Headers) != 1 || m.Headers["a"] != "2" {
		t.Errorf("headers %v", m.Headers)
	}
}
