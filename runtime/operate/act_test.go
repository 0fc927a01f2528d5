package operate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// What operators change is kept: who, what, how many, and how it ended; but nothing of
// arguments.
func TestActs(t *testing.T) {
	onBrokers(t, func(t *testing.T, b broker.Broker) {
		o := operate.New(b)
		ctx := operate.As(brokertest.Context(t), "ann", "10.0.0.7")
		self := brokertest.Context(t)
		began := time.Now()

		one, err1 := o.Plan(ctx, selected(t, `state:dead queue:mail args.n:1`), operate.Retry)
		two, err2 := o.Plan(ctx, selected(t, `state:dead queue:mail`), operate.Delete)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		for _, p := range []*operate.Plan{one, two} {
			if _, err := p.Do(ctx, operate.Pace{}); err != nil {
				t.Fatal(err)
			}
		}
		nothing, err := o.Plan(ctx, selected(t, "queue:nothing state:dead"), operate.Delete)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nothing.Do(ctx, operate.Pace{}); err != nil {
			t.Fatal(err)
		}
		if err := o.Pause(ctx, broker.Pause{What: broker.PauseQueue, Name: "mail"}); err != nil {
			t.Fatal(err)
		}
		if n, err := o.Purge(ctx, "mail"); n != 2 || err != nil {
			t.Fatalf("purged %d, %v", n, err)
		}
		var m broker.Stored
		for found, err := range o.Messages(ctx, selected(t, "queue:images state:dead"), 1) {
			if m = found; err != nil {
				t.Fatal(err)
			}
		}
		if err := o.Edit(self, m, []byte(`{"secret":1}`)); err != nil {
			t.Fatal(err)
		}
		if err := o.Edit(self, m, []byte(`{"secret":2}`)); !errors.Is(err, broker.ErrChanged) {
			t.Fatalf("edit of what was edited: %v", err)
		}
		stopped, cancel := context.WithCancel(ctx)
		three, err := o.Plan(ctx, selected(t, "queue:images state:dead"), operate.Delete)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := three.Do(stopped, operate.Pace{Batch: 1, Progress: func(int) { cancel() }}); err == nil {
			t.Error("no error of an interrupted plan")
		}

		want := []string{
			"ann at 10.0.0.7 retried state:dead queue:mail args.n:…: 2 of 2, 0 skipped",
			"ann at 10.0.0.7 deleted state:dead queue:mail: 0 of 2, 2 skipped",
			"ann at 10.0.0.7 paused queue:mail: 0 of -1, 0 skipped",
			"ann at 10.0.0.7 purged queue:mail: 2 of -1, 0 skipped",
			"edited id:" + m.Message.ID + ": 1 of 1, 0 skipped",
			"edited id:" + m.Message.ID + ": 0 of 1, 0 skipped; " + broker.ErrChanged.Error(),
			"ann at 10.0.0.7 deleted queue:images state:dead: 1 of 2, 0 skipped; context canceled",
		}
		brokertest.Eventually(t, func() string {
			acts, err := o.Acts(self, began)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, a := range acts {
				text := fmt.Sprintf("%s at %s %s %s: %d of %d, %d skipped", a.User, a.Host, a.Did, a.On, a.Changed, a.Planned, a.Skipped)
				if a.Error != "" {
					text += "; " + a.Error
				}
				if i == 4 || i == 5 {
					text = text[strings.Index(text, "edited"):]
				}
				if a.Ended.Before(a.Began) || strings.Contains(fmt.Sprint(a), "secret") || a.User == "" || a.Host == "" {
					t.Fatalf("act %+v", a)
				}
				if i == 5 && strings.Contains(a.Error, broker.ErrChanged.Error()) {
					text = text[:strings.Index(text, ";")+2] + broker.ErrChanged.Error()
				}
				got = append(got, text)
			}
			if !slices.Equal(got, want) {
				return fmt.Sprintf("acts\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			return ""
		})
	})
}

// forgetful is a broker whose journal takes nothing.
type forgetful struct {
	broker.Broker
	broker.Pauser
	broker.Journal
	broken bool
}

var errFull = errors.New("no room")

func (forgetful) NoteAct(context.Context, broker.Act) error { return errFull }

func (f forgetful) Pause(context.Context, broker.Pause) error {
	if f.broken {
		return broker.ErrBlocked
	}
	return nil
}

// plain is a broker without a journal.
type plain struct {
	broker.Broker
	broker.Pauser
}

func (plain) Pause(context.Context, broker.Pause) error { return nil }

// A change is made though the journal cannot keep it, and that is said.
func TestActsNotKept(t *testing.T) {
	err := operate.New(forgetful{}).Pause(t.Context(), broker.Pause{What: broker.PauseQueue, Name: "mail"})
	if !errors.Is(err, operate.ErrNotKept) || !errors.Is(err, errFull) {
		t.Errorf("a change that is not kept: %v", err)
	}
	err = operate.New(forgetful{broken: true}).Pause(t.Context(), broker.Pause{What: broker.PauseQueue, Name: "mail"})
	if errors.Is(err, operate.ErrNotKept) || !errors.Is(err, errFull) || !errors.Is(err, broker.ErrBlocked) {
		t.Errorf("a failure that is not kept: %v", err)
	}
	if err := operate.New(plain{}).Pause(t.Context(), broker.Pause{What: broker.PauseQueue, Name: "mail"}); err != nil {
		t.Errorf("without a journal: %v", err)
	}
}

// Follow tells of what is new, also in a minute that is known, and goes on when the
// broker was away.
func TestFollow(t *testing.T) {
	onBrokers(t, func(t *testing.T, b broker.Broker) {
		journal, err := broker.As[broker.Journal](b)
		if err != nil {
			t.Fatal(err)
		}
		minute := time.Now().Truncate(time.Minute)
		serial := int64(0)
		note := func(done int64, failure string) {
			serial++
			tally := broker.Tally{Minute: minute, Queue: "mail", Task: "mail.Send", Done: done, Dead: 1, Cancelled: 2 * done}
			tally.Ran.Add(time.Duration(done) * time.Second)
			tally.AddFailure(broker.TallyFailure{Kind: broker.FailureError, Messages: 1, At: time.Now(), Error: failure})
			if _, err := journal.Note(brokertest.Context(t), broker.Batch{Process: "p", Serial: serial, Keep: time.Hour, Tallies: []broker.Tally{tally}}); err != nil {
				t.Fatal(err)
			}
		}
		note(1, "user 1 is unknown")
		brokertest.Eventually(t, func() string {
			if ts, err := journal.Tallies(brokertest.Context(t), minute); err != nil || len(ts) != 1 {
				return fmt.Sprintf("%v, %v", ts, err)
			}
			return ""
		})
		o := operate.New(&later{Broker: b, Journal: journal, first: func() { note(7, "user 2 is unknown") }})
		for news, err := range o.Follow(brokertest.Context(t)) {
			if errors.Is(err, errFull) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if news.Done != 7 || news.Dead != 1 || news.Cancelled != 14 || news.Ran.Total != 7*time.Second || news.Ran.Count() != 1 || len(news.Failures) != 1 || news.Failures[0].Messages != 1 {
				t.Errorf("news %+v", news)
			}
			return
		}
		t.Fatal("no news")
	})
}

// later is a broker that is away at the second look.
type later struct {
	broker.Broker
	broker.Journal
	looks int
	first func() // is called after the first look
}

func (l *later) Tallies(ctx context.Context, since time.Time) ([]broker.Tally, error) {
	l.looks++
	if l.looks == 2 {
		return nil, errFull
	}
	ts, err := l.Journal.Tallies(ctx, since)
	if l.looks == 1 {
		l.first()
	}
	return ts, err
}
