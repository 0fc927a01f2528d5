package rabbitmq

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

// What a process keeps of a schedule is replaced by copies before RabbitMQ
// misses its acknowledgement, and nothing is lost by that.
func TestScheduleRenewed(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	url := rabbittest.URL(t)
	b, err := Open(ctx, url, broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	lastTick := func(b *Broker) (last time.Time, err error) {
		for err = broker.ErrNotScheduler; errors.Is(err, broker.ErrNotScheduler) && sleep(ctx, time.Millisecond); {
			last, err = b.LastTick(ctx, "s") // on a slow machine it takes several to become the scheduler
		}
		return last, err
	}
	if _, err := lastTick(b); err != nil {
		t.Fatal(err)
	}
	tick := time.UnixMilli(1e12)
	if ok, err := b.Tick(ctx, "s", time.Time{}, tick, nil); !ok || err != nil {
		t.Fatalf("tick: %v, %v", ok, err)
	}
	p, err := b.postAt(ctx, "s")
	if err != nil {
		t.Fatal(err)
	}
	// kept returns the tags of the fence and the token, once they have come that
	// are later than the given ones.
	kept := func(fence, token uint64) (uint64, uint64) {
		t.Helper()
		for ; ctx.Err() == nil; sleep(ctx, time.Millisecond) {
			p.mu.Lock()
			f, k := p.keptTag, p.tickTag
			p.mu.Unlock()
			if f > fence && k > token {
				return f, k
			}
		}
		t.Fatal("what is kept is not replaced")
		panic("unreachable")
	}
	fence, token := kept(0, 0)
	p.mu.Lock()
	p.renewed = p.renewed.Add(-b.config.consumerTimeout / 2)
	p.mu.Unlock()
	if last, err := lastTick(b); !last.Equal(tick) || err != nil {
		t.Errorf("last tick %v, %v, want %v", last, err, tick)
	}
	kept(fence, token)

	b.Close()
	next, err := Open(ctx, url, broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	s, err := next.publishing.session(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for { // until RabbitMQ has noticed that b is gone
		n, _, err := queueLength(ctx, s, p.queue)
		if err != nil || n > 2 {
			t.Fatalf("the queue holds %d messages, %v, want a fence and a token", n, err)
		}
		if n == 2 {
			break
		}
		if !sleep(ctx, time.Millisecond) {
			t.Fatalf("the queue holds %d messages, want a fence and a token", n)
		}
	}
	if last, err := lastTick(next); !last.Equal(tick) || err != nil {
		t.Errorf("last tick, for another process, %v, %v, want %v", last, err, tick)
	}
}
