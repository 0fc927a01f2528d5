package worker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dtaskhq/dtask/internal/crontab"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// ticks is a broker.TickStore in memory. It has no other parts of a broker.
type ticks struct {
	broker.Broker

	mu       sync.Mutex
	last     map[string]time.Time
	enqueued []*dtask.Message
	down     error // what every call fails with, if not nil
	lost     bool  // ticks happen, but return an error
}

func (b *ticks) LastTick(_ context.Context, schedule string) (time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last[schedule], b.down
}

func (b *ticks) Tick(_ context.Context, schedule string, from, to time.Time, m *dtask.Message) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down != nil {
		return false, b.down
	}
	if !b.last[schedule].Equal(from) {
		return false, nil
	}
	if b.last == nil {
		b.last = make(map[string]time.Time)
	}
	b.last[schedule] = to
	if m != nil {
		b.enqueued = append(b.enqueued, m)
	}
	if b.lost {
		return false, dtask.ErrUnknownOutcome
	}
	return true, nil
}

func (b *ticks) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// times returns the ticks whose messages were enqueued.
func (b *ticks) times() (times []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.enqueued {
		times = append(times, m.Headers[dtask.TickHeader])
	}
	return times
}

func periodic(t *testing.T, cron string, skipMissed bool) schedule {
	t.Helper()
	when, err := crontab.Parse(cron)
	if err != nil {
		t.Fatal(err)
	}
	return schedule{dtask.BoundTask{Name: "pkg.Purge", Spec: dtask.Spec{Queue: "q", Cron: cron, SkipMissed: skipMissed, Retries: 2, Schema: "s"}}, when}
}

func testScheduler(b *ticks, s schedule) *scheduler {
	scheduler, err := newScheduler(dtask.NewClient(b), []schedule{s}, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	return scheduler
}

func TestDue(t *testing.T) {
	at := func(s string) time.Time {
		if s == "" {
			return time.Time{}
		}
		parsed, err := time.Parse("02 15:04:05", s)
		if err != nil {
			t.Fatal(err)
		}
		return parsed.AddDate(2024, 0, 0)
	}
	for _, c := range []struct{ name, cron, last, now, want string }{
		{"not yet", "0 3 * * *", "05 03:00:00", "06 02:59:59", ""},
		{"on time", "0 3 * * *", "05 03:00:00", "06 03:00:00", "06 03:00:00"},
		{"a little late", "0 3 * * *", "05 03:00:00", "06 03:00:40", "06 03:00:00"},
		{"missed", "0 3 * * *", "05 03:00:00", "06 17:00:00", "06 03:00:00"},
		{"many missed: the newest", "0 3 * * *", "05 03:00:00", "25 17:00:00", "25 03:00:00"},
		{"many missed and one due", "*/5 * * * *", "05 03:00:00", "05 17:00:30", "05 17:00:00"},
		{"all made up for that are no minute late", "* * * * *", "05 03:00:00", "05 03:01:59", "05 03:01:00"},
		{"since the first start", "* * * * *", "05 03:00:30", "05 03:00:59", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := periodic(t, c.cron, false).due(at(c.last), at(c.now)); !got.Equal(at(c.want)) {
				t.Errorf("due %v, want %v", got, at(c.want))
			}
		})
	}
}

// Several schedulers enqueue each tick once, and on time.
func TestEachTickOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &ticks{}
		ctx, cancel := context.WithCancel(context.Background())
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() { testScheduler(b, periodic(t, "*/5 * * * *", false)).run(ctx) })
		}
		time.Sleep(24*time.Hour + time.Second) // the clock of the bubble starts at midnight
		cancel()
		all.Wait()
		times := b.times()
		if len(times) != 24*12 {
			t.Fatalf("%d ticks in a day of five minutes each, want %d", len(times), 24*12)
		}
		want := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		for i, m := range b.enqueued {
			want = want.Add(5 * time.Minute)
			if times[i] != want.Format(time.RFC3339) || m.EnqueuedAt.Sub(want) > time.Second {
				t.Fatalf("tick %s enqueued at %v, want %v", times[i], m.EnqueuedAt, want)
			}
		}
		ids := make(map[string]bool)
		for _, m := range b.enqueued {
			if ids[m.ID] {
				t.Errorf("id %s is used twice", m.ID)
			}
			ids[m.ID] = true
			if err := m.Validate(); err != nil || m.Attempts != 3 || string(m.Body) != "{}" {
				t.Errorf("message %+v: %v", m, err)
			}
		}
	})
}

// Schedule enqueues the periodic tasks, and ends only with its context.
func TestSchedule(t *testing.T) {
	for _, c := range []struct {
		table dtask.Table
		want  []string
	}{
		{dtask.Table{greetTask.Bind(nil), purgeTask.Bind(nil)}, []string{"2000-01-01T23:00:00Z", "2000-01-02T23:00:00Z"}},
		{dtask.Table{greetTask.Bind(nil)}, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := &ticks{}
			ctx, cancel := context.WithTimeout(t.Context(), 48*time.Hour)
			defer cancel()
			start := time.Now()
			if err := Schedule(ctx, dtask.NewClient(b), c.table); err != nil || time.Since(start) < 48*time.Hour {
				t.Errorf("returned after %v: %v", time.Since(start), err)
			}
			if got := b.times(); !slices.Equal(got, c.want) {
				t.Errorf("ticks %v, want %v", got, c.want)
			}
		})
	}
	none := dtask.NewClient(new(bare)) // it keeps no ticks
	ended, end := context.WithCancel(t.Context())
	end()
	if err := Schedule(ended, none, dtask.Table{greetTask.Bind(nil)}); err != nil {
		t.Errorf("nothing is periodic, and the broker keeps no ticks: %v", err)
	}
	if err := Schedule(ended, none, dtask.Table{purgeTask.Bind(nil)}); !errors.Is(err, dtask.ErrUnsupported) {
		t.Errorf("the broker keeps no ticks: %v", err)
	}
	wrong := dtask.Define[struct{}, dtask.None]("mail.Wrong", dtask.Spec{Queue: "mail", Cron: "@often"})
	if err := Schedule(t.Context(), dtask.NewClient(&ticks{}), dtask.Table{wrong.Bind(nil)}); err == nil || !strings.Contains(err.Error(), "task mail.Wrong: ") {
		t.Errorf("a wrong schedule: %v", err)
	}
	if err := Schedule(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "the client is nil") {
		t.Errorf("without a client: %v", err)
	}
}

// What becomes of a tick in the middleware is said as it is, in the log of the
// client, and does no harm to the process.
func TestTickInMiddleware(t *testing.T) {
	for want, middleware := range map[string]dtask.EnqueueFunc{
		"periodic task dropped by middleware": func(context.Context, []*dtask.Message) []error { return []error{nil} },
		"panicked: no tenant":                 func(context.Context, []*dtask.Message) []error { panic("no tenant") },
	} {
		synctest.Test(t, func(t *testing.T) {
			var text bytes.Buffer
			b := &ticks{}
			client := dtask.NewClient(b, dtask.WithLogger(slog.New(slog.NewTextHandler(&text, nil)))).
				With(func(dtask.EnqueueFunc) dtask.EnqueueFunc { return middleware })
			ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
			defer cancel()
			if err := Schedule(ctx, client, dtask.Table{purgeTask.Bind(nil)}); err != nil {
				t.Error(err)
			}
			if n := len(b.times()); n > 0 || !strings.Contains(text.String(), want) || strings.Contains(text.String(), "periodic task enqueued") {
				t.Errorf("%d enqueued, the log does not say %s:\n%s", n, want, text.String())
			}
		})
	}
}

// Ticks that came while no worker ran are made up for once, or left out.
func TestDowntime(t *testing.T) {
	for _, skip := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := &ticks{}
			runFor := func(d time.Duration) {
				ctx, cancel := context.WithTimeout(context.Background(), d)
				defer cancel()
				testScheduler(b, periodic(t, "0 * * * *", skip)).run(ctx)
			}
			runFor(90 * time.Minute)                    // until 01:30
			time.Sleep(5 * time.Hour)                   // until 06:30
			runFor(time.Hour)                           // until 07:30
			time.Sleep(29*time.Minute + 50*time.Second) // until 07:59:50
			time.Sleep(30 * time.Second)                // a short interruption
			runFor(time.Minute)
			want := []string{"2000-01-01T01:00:00Z", "2000-01-01T06:00:00Z", "2000-01-01T07:00:00Z", "2000-01-01T08:00:00Z"}
			if skip {
				want = slices.Delete(want, 1, 2)
			}
			if got := b.times(); !slices.Equal(got, want) {
				t.Errorf("skip %v: ticks %v, want %v", skip, got, want)
			}
		})
	}
}

// A periodic task that was renamed goes on after the newest tick of its old names: it
// makes up for what was missed. One that is new begins now.
func TestRenamedSchedule(t *testing.T) {
	for _, c := range []struct {
		was  []string
		want []string
	}{
		{[]string{"mail.Older", "mail.Old", "mail.Never"}, []string{"2000-01-01T02:00:00Z", "2000-01-01T03:00:00Z"}},
		{nil, []string{"2000-01-01T03:00:00Z"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			b := &ticks{last: map[string]time.Time{"mail.Older": start, "mail.Old": start.Add(time.Hour)}}
			time.Sleep(2*time.Hour + time.Minute) // until 02:01
			s := periodic(t, "0 * * * *", false)
			s.task.Spec.Was = c.was
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			testScheduler(b, s).run(ctx)
			if got := b.times(); !slices.Equal(got, c.want) {
				t.Errorf("was %v: ticks %v, want %v", c.was, got, c.want)
			}
		})
	}
}

// A clock that was wrong for a moment has ticked years ahead. This is said, and
// does not silence its task, nor another one.
func TestTickInTheFuture(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"years": 5 * 365 * 24 * time.Hour, "hours": 3 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			b := &ticks{last: map[string]time.Time{"pkg.Purge": time.Now().Add(ahead)}}
			wrong, right := periodic(t, "0 * * * *", false), periodic(t, "0 * * * *", false)
			right.task.Name = "pkg.Other"
			s, err := newScheduler(dtask.NewClient(b), []schedule{wrong, right}, slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 150*time.Minute)
			defer cancel()
			s.run(ctx)
			got := b.times()
			slices.Sort(got)
			if want := []string{"2000-01-01T01:00:00Z", "2000-01-01T01:00:00Z", "2000-01-01T02:00:00Z", "2000-01-01T02:00:00Z"}; !slices.Equal(got, want) {
				t.Errorf("%s ahead: ticks %v, want %v", name, got, want)
			}
			if n := strings.Count(log.String(), "made by a clock that was wrong"); n != 1 {
				t.Errorf("%s ahead: said %d times, want once", name, n)
			}
		})
	}
}

// A broker that is away at a tick, or that loses the answer, delays the tick
// and does not double it.
func TestBrokerAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &ticks{}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() { defer close(done); testScheduler(b, periodic(t, "* * * * *", false)).run(ctx) }()
		time.Sleep(55 * time.Second)
		for range 10 {
			b.set(func() { b.down = errors.New("connection refused") })
			time.Sleep(20 * time.Second)
			b.set(func() { b.down = broker.ErrNotScheduler })
			time.Sleep(5 * time.Second)
			b.set(func() { b.down, b.lost = nil, true })
			time.Sleep(5 * time.Second)
			b.set(func() { b.lost = false })
			time.Sleep(30 * time.Second)
		}
		cancel()
		<-done
		times := b.times()
		if slices.Sort(times); len(times) != 10 || len(slices.Compact(times)) != 10 {
			t.Errorf("ticks %v, want 10, each once", times)
		}
	})
}

// A drain catches up and does not wait.
func TestCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &ticks{}
		s := testScheduler(b, periodic(t, "0 3 * * *", false))
		for day := range 4 {
			if err := s.catchUp(context.Background()); err != nil || len(b.times()) != day {
				t.Errorf("on day %d: %d ticks, error %v", day, len(b.times()), err)
			}
			time.Sleep(24 * time.Hour)
		}
		b.down = broker.ErrNotScheduler
		if err := s.catchUp(context.Background()); err != nil {
			t.Errorf("another process is the scheduler: %v", err)
		}
		b.down = errors.New("no such table")
		if err := s.catchUp(context.Background()); err == nil {
			t.Error("no error")
		}
	})
}
