package dtask_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/dtasktest"
)

// tickStore is a broker that keeps what is ticked.
type tickStore struct {
	broker.Broker
	ticked []*dtask.Message
	err    error
}

func (s *tickStore) LastTick(context.Context, string) (time.Time, error) { return time.Time{}, nil }

func (s *tickStore) Tick(_ context.Context, _ string, _, _ time.Time, m *dtask.Message) (bool, error) {
	s.ticked = append(s.ticked, m)
	return s.err == nil, s.err
}

// A tick is a Delay: it has the policy of its task, and passes through the
// middleware, which may change, drop and refuse it.
func TestTick(t *testing.T) {
	last, next := time.Date(2026, 11, 1, 3, 0, 0, 0, time.UTC), time.Date(2026, 11, 2, 3, 0, 0, 0, time.UTC)
	task := dtask.Define[struct{}, dtask.None]("pkg.Purge", dtask.Spec{
		Queue: "night", Retries: 2, Priority: dtask.PriorityLow, Keep: time.Hour, Schema: "s", Cron: "0 3 * * *",
	}).Bind(nil)
	refusal := errors.New("no")

	for _, c := range []struct {
		name       string
		middleware dtask.EnqueueMiddleware
		store      tickStore
		ticked     bool
		err        error
		header     string
		enqueued   bool
	}{
		{"plain", nil, tickStore{}, true, nil, "", true},
		{"changed", func(next dtask.EnqueueFunc) dtask.EnqueueFunc {
			return func(ctx context.Context, ms []*dtask.Message) []error {
				ms[0].SetHeader("tenant", "acme")
				return next(ctx, ms)
			}
		}, tickStore{}, true, nil, "acme", true},
		{"dropped", func(dtask.EnqueueFunc) dtask.EnqueueFunc {
			return func(context.Context, []*dtask.Message) []error { return []error{nil} }
		}, tickStore{}, true, nil, "", false},
		{"filtered", func(next dtask.EnqueueFunc) dtask.EnqueueFunc {
			return func(ctx context.Context, ms []*dtask.Message) []error {
				next(ctx, nil)
				return make([]error, len(ms))
			}
		}, tickStore{}, true, nil, "", false},
		{"refused", func(dtask.EnqueueFunc) dtask.EnqueueFunc {
			return func(context.Context, []*dtask.Message) []error { return []error{refusal} }
		}, tickStore{}, false, refusal, "", false},
		{"another ticks", nil, tickStore{err: broker.ErrNotScheduler}, false, broker.ErrNotScheduler, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := dtask.NewClient(&c.store)
			if c.middleware != nil {
				client = client.With(c.middleware)
			}
			id, ticked, err := client.Tick(t.Context(), task, last, next)
			if ticked != c.ticked || !errors.Is(err, c.err) {
				t.Fatalf("ticked %v, error %v; want %v, %v", ticked, err, c.ticked, c.err)
			}
			if c.name == "refused" {
				if len(c.store.ticked) > 0 {
					t.Error("a tick that was refused is recorded")
				}
				return
			}
			m := c.store.ticked[0]
			if !c.enqueued {
				if m != nil || id != "" {
					t.Errorf("enqueued %+v as %q, which was dropped", m, id)
				}
				return
			}
			headers := map[string]string{dtask.TickHeader: "2026-11-02T03:00:00Z"}
			if c.header != "" {
				headers["tenant"] = c.header
			}
			want := dtask.Message{
				ID: id, Task: "pkg.Purge", Queue: "night", Body: []byte("{}"), Schema: "s", Priority: dtask.PriorityLow,
				Attempt: 1, Attempts: 3, EnqueuedAt: m.EnqueuedAt, Keep: time.Hour, Headers: headers,
			}
			if !reflect.DeepEqual(*m, want) {
				t.Errorf("enqueued\n%+v, want\n%+v", *m, want)
			}
			if again, _, _ := client.Tick(t.Context(), task, last, next); again != id {
				t.Errorf("the id of the same tick is %s and %s", id, again)
			}
		})
	}
}

// A tick is stored with one message. Middleware that makes more of it hears so:
// none of them would be there without the others.
func TestTickOfMany(t *testing.T) {
	store := new(tickStore)
	client := dtask.NewClient(store).With(func(next dtask.EnqueueFunc) dtask.EnqueueFunc {
		return func(ctx context.Context, ms []*dtask.Message) []error {
			other := *ms[0]
			return next(ctx, append(ms, &other))
		}
	})
	task := dtask.Define[struct{}, dtask.None]("pkg.Purge", dtask.Spec{Queue: "night"}).Bind(nil)
	_, ticked, err := client.Tick(t.Context(), task, time.Time{}, time.Now())
	if ticked || err == nil || !strings.Contains(err.Error(), "several messages") || len(store.ticked) > 0 {
		t.Errorf("ticked %v, %v; the store has %d", ticked, err, len(store.ticked))
	}
}

// What a broker cannot do is an error that says so, and enqueues nothing.
func TestUnsupported(t *testing.T) {
	client := dtasktest.NewInline()
	ctx := dtask.NewContext(t.Context(), client)
	_, adminErr := client.Admin()
	_, _, tickErr := client.Tick(ctx, dtask.BoundTask{Name: "pkg.Purge"}, time.Time{}, time.Now())
	_, duplicateErr := greet.Delay(ctx, greetArgs{"x"}, dtask.ID("one"), dtask.IgnoreDuplicate())
	_, waitErr := greet.Handle("x").Wait(dtask.NewContext(ctx, dtask.NewClient(new(tickStore))))
	for what, err := range map[string]error{"Admin": adminErr, "TickStore": tickErr, "Deduplicator": duplicateErr, "ResultStore": waitErr} {
		if !errors.Is(err, dtask.ErrUnsupported) {
			t.Errorf("%s: error %v, want ErrUnsupported", what, err)
		}
	}
	tx := dtask.NewContext(broker.WithTransaction(t.Context(), "a transaction"), client)
	if _, err := greet.Delay(tx, greetArgs{"x"}); !errors.Is(err, dtask.ErrTransaction) {
		t.Errorf("a transaction without a Transactor: error %v, want ErrTransaction", err)
	}
}
