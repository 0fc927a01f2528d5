package dtask_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

type valueKey struct{}

// A silentBroker answers no enqueue before its context ends.
type silentBroker struct {
	broker.Broker
	mu     sync.Mutex
	values []any
}

func (b *silentBroker) Enqueue(ctx context.Context, _ *broker.Message) error {
	b.mu.Lock()
	b.values = append(b.values, ctx.Value(valueKey{}))
	b.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

func (b *silentBroker) EnqueueMany(ctx context.Context, ms []*broker.Message) []error {
	return slices.Repeat([]error{b.Enqueue(ctx, ms[0])}, len(ms))
}

// An enqueue whose context has no deadline ends within the client's limit, and says
// so; two at once, too. A deadline of the context's own holds as it is.
func TestEnqueueLimit(t *testing.T) {
	background := context.WithValue(context.Background(), valueKey{}, "v")
	for name, c := range map[string]struct {
		options      []dtask.ClientOption
		own          time.Duration // deadline of the context
		least, most  time.Duration
		ofTheContext bool
	}{
		"default":      {least: 10 * time.Second, most: 11 * time.Second},
		"zero":         {options: []dtask.ClientOption{dtask.WithEnqueueTimeout(0)}, least: 10 * time.Second, most: 11 * time.Second},
		"option":       {options: []dtask.ClientOption{dtask.WithEnqueueTimeout(time.Minute)}, least: time.Minute, most: 66 * time.Second},
		"own deadline": {own: time.Hour, least: time.Hour, most: time.Hour, ofTheContext: true},
		"no limit":     {options: []dtask.ClientOption{dtask.WithEnqueueTimeout(-1)}, own: 2 * time.Hour, least: 2 * time.Hour, most: 2 * time.Hour, ofTheContext: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &silentBroker{}
				client := dtask.NewClient(b, c.options...)
				cancellable, cancel := context.WithCancel(background)
				defer cancel()
				var calls sync.WaitGroup
				for _, ctx := range []context.Context{background, cancellable} {
					if c.own > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, c.own)
						defer cancel()
					}
					ctx = dtask.NewContext(ctx, client)
					for range 2 {
						calls.Go(func() {
							start := time.Now()
							_, err := greet.Delay(ctx, greetArgs{})
							took := time.Since(start)
							if !errors.Is(err, context.DeadlineExceeded) || took < c.least-time.Second || took > c.most {
								t.Errorf("Delay: %v after %v", err, took)
							}
							if strings.Contains(err.Error(), "the limit is that of the client") == c.ofTheContext {
								t.Errorf("Delay: %v", err)
							}
							if _, err := dtask.DelayMany(ctx, greet, make([]greetArgs, 2)); !errors.Is(err, context.DeadlineExceeded) {
								t.Errorf("DelayMany: %v", err)
							}
						})
						time.Sleep(500 * time.Millisecond) // in the same tenth of the limit
					}
				}
				calls.Wait()
				for _, v := range b.values {
					if v != "v" {
						t.Errorf("the context of the broker has the value %v", v)
					}
				}
			})
		})
	}
}
