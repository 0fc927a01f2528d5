package brokertest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// lastTick waits until b may tick the schedule, and returns its newest tick.
func lastTick(t *testing.T, b broker.Broker, schedule string) time.Time {
	t.Helper()
	ctx := Context(t)
	for {
		tick, err := ticks(t, b).LastTick(ctx, schedule)
		if !errors.Is(err, broker.ErrNotScheduler) {
			if err != nil {
				t.Fatalf("LastTick: %v", err)
			}
			return tick
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// tick ticks the schedule and returns whether that was granted.
func tick(t *testing.T, b broker.Broker, schedule string, from, to time.Time, m *broker.Message) bool {
	t.Helper()
	ticked, err := ticks(t, b).Tick(Context(t), schedule, from, to, m)
	if err != nil {
		t.Fatalf("Tick: %v", err)
	}
	return ticked
}

// A tick enqueues its message, and is granted only after the tick that the
// caller knows as the newest.
func testSchedule(t *testing.T, store Store) {
	url := store(t)
	b := open(t, url)
	start := time.Now().Truncate(time.Second)
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }

	if last := lastTick(t, b, "pkg.Nightly"); !last.IsZero() {
		t.Fatalf("a new schedule has ticked at %v", last)
	}
	if !tick(t, b, "pkg.Nightly", time.Time{}, at(0), nil) {
		t.Fatal("the first tick is refused")
	}
	if last := lastTick(t, b, "pkg.Nightly"); !last.Equal(at(0)) {
		t.Errorf("last tick %v, want %v", last, at(0))
	}
	if tick(t, b, "pkg.Nightly", time.Time{}, at(1), Message("q")) {
		t.Error("a second first tick is granted")
	}

	m := Message("q")
	m.Headers = map[string]string{"dtask-tick": "now"}
	if !tick(t, b, "pkg.Nightly", at(0), at(1), m) {
		t.Error("the tick after the newest is refused")
	}
	if tick(t, b, "pkg.Nightly", at(0), at(1), Message("q")) {
		t.Error("the same tick is granted twice")
	}
	if last := lastTick(t, b, "pkg.Hourly"); !last.IsZero() {
		t.Errorf("another schedule has ticked at %v", last)
	}

	c := Consume(t, b, "q", 1)
	d := Receive(t, c)
	if got := d.Message(); got.ID != m.ID || got.Headers["dtask-tick"] != "now" || got.Attempt != 1 {
		t.Errorf("delivered %+v, want the message of the tick, %s", got, m.ID)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
	Drained(t, b, c, "q")

	next := open(t, url) // a process that starts later
	closeConsumer(t, c)
	if err := b.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	if last := lastTick(t, next, "pkg.Nightly"); !last.Equal(at(1)) {
		t.Errorf("last tick in another process %v, want %v", last, at(1))
	}
	if tick(t, next, "pkg.Nightly", at(0), at(2), Message("q")) {
		t.Error("a tick after an outdated one is granted")
	}
	if !tick(t, next, "pkg.Nightly", at(1), at(2), nil) {
		t.Error("the tick after the newest is refused in another process")
	}
}

// Of many that want the same tick, one gets it. The one that may tick goes away
// again and again.
func testScheduleContended(t *testing.T, store Store) {
	url := store(t)
	start := time.Now().Truncate(time.Second)
	const schedulers, wanted = 4, 40
	var (
		mu      sync.Mutex
		granted = make(map[time.Time]int)
		ids     = make(map[string]bool)
		all     sync.WaitGroup
	)
	watch := func() {
		b := open(t, url)
		defer func() { b.Close() }() // others are to see that all is done
		ctx := Context(t)
		for mine := 0; ; {
			last, err := ticks(t, b).LastTick(ctx, "pkg.Often")
			switch {
			case errors.Is(err, broker.ErrNotScheduler) && ctx.Err() == nil:
				time.Sleep(time.Millisecond)
				continue
			case err != nil:
				t.Errorf("LastTick: %v", err)
				return
			case last.IsZero():
				last = start
				if _, err := ticks(t, b).Tick(ctx, "pkg.Often", time.Time{}, start, nil); err != nil {
					t.Errorf("first Tick: %v", err)
					return
				}
			}
			to := last.Add(time.Second)
			if to.Sub(start) > wanted*time.Second {
				return
			}
			m := Message("q")
			m.ID = fmt.Sprintf("tick-%d", to.Unix())
			ticked, err := ticks(t, b).Tick(ctx, "pkg.Often", last, to, m)
			switch {
			case errors.Is(err, broker.ErrNotScheduler):
				continue
			case err != nil:
				t.Errorf("Tick: %v", err)
				return
			case ticked:
				mu.Lock()
				granted[to]++
				ids[m.ID] = true
				mu.Unlock()
				mine++
			}
			if mine == 3 { // another one's turn
				mine = 0
				if err := b.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
				b = open(t, url)
			}
		}
	}
	for range schedulers {
		all.Go(watch)
	}
	all.Wait()
	for to, n := range granted {
		if n != 1 {
			t.Errorf("tick %v was granted %d times", to, n)
		}
	}
	if len(granted) != wanted {
		t.Errorf("%d ticks were granted, want %d", len(granted), wanted)
	}
	b := open(t, url)
	c := Consume(t, b, "q", 1)
	for range wanted {
		d := Receive(t, c)
		if !ids[d.Message().ID] {
			t.Errorf("delivered twice, or never granted: %s", d.Message().ID)
		}
		delete(ids, d.Message().ID)
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	Drained(t, b, c, "q")
}

// A newest tick that a wrong clock has made can be taken back, and stays so for
// those that come later; the schedule beside it is not concerned.
func testScheduleReset(t *testing.T, store Store) {
	url := store(t)
	b := open(t, url)
	now := time.Now().Truncate(time.Second)
	future := now.AddDate(5, 0, 0)
	for _, schedule := range []string{"pkg.Wrong", "pkg.WrongToo", "pkg.Right"} {
		lastTick(t, b, schedule)
		if !tick(t, b, schedule, time.Time{}, future, nil) {
			t.Fatalf("the first tick of %s is refused", schedule)
		}
	}
	for _, schedule := range []string{"pkg.Wrong", "pkg.WrongToo"} {
		if !tick(t, b, schedule, future, now, nil) {
			t.Errorf("%s cannot be reset", schedule)
		}
		if last := lastTick(t, b, schedule); !last.Equal(now) {
			t.Errorf("last tick of %s after the reset: %v, want %v", schedule, last, now)
		}
		m := Message(schedule)
		if !tick(t, b, schedule, now, now.Add(time.Minute), m) {
			t.Errorf("%s does not tick after the reset", schedule)
		}
	}
	next := open(t, url)
	if err := b.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	for schedule, want := range map[string]time.Time{"pkg.Wrong": now.Add(time.Minute), "pkg.WrongToo": now.Add(time.Minute), "pkg.Right": future} {
		if last := lastTick(t, next, schedule); !last.Equal(want) {
			t.Errorf("last tick of %s in another process: %v, want %v", schedule, last, want)
		}
	}
}
