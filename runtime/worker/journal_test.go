//go:build unix

package worker

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// What two workers and a drain did is in the journal when they have ended, all of it
// and once, unless it was told to keep none.
func TestJournal(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		journal, err := broker.As[broker.Journal](b.client.Broker())
		if err != nil {
			t.Fatal(err)
		}
		want := func(want ...string) {
			t.Helper()
			brokertest.Eventually(t, func() string {
				ts, err := journal.Tallies(t.Context(), time.Now().Add(-time.Hour))
				if err != nil {
					t.Fatal(err)
				}
				sums := make(map[string]*broker.Tally) // the minute may have passed
				for i, tally := range ts {
					key := tally.Queue + " " + tally.Task
					if sums[key] == nil {
						sums[key] = new(broker.Tally)
					}
					sums[key].Add(&ts[i])
				}
				var got []string
				for key, s := range sums {
					text := fmt.Sprintf("%s: %d done, %d retried, %d dead, %d waits, %d runs", key, s.Done, s.Retried, s.Dead, s.Waited.Count(), s.Ran.Count())
					for _, f := range s.Failures {
						text += fmt.Sprintf("; %d %s: %s", f.Messages, f.Kind, f.Error)
					}
					got = append(got, text)
				}
				if slices.Sort(got); !slices.Equal(got, want) {
					return fmt.Sprintf("the journal has %q, want %q", got, want)
				}
				return ""
			})
		}
		stop := func(ps ...*proc) {
			t.Helper()
			for _, p := range ps {
				p.signal(t, syscall.SIGTERM)
			}
			for _, p := range ps {
				if code := p.exit(t); code != exitOK {
					t.Errorf("exit code %d", code)
				}
			}
		}
		b.delay(noteTask, "a", "b", "c")
		b.delay(otherTask, "d")
		b.delay(failTask, "e", "f")
		both, one := b.start(nil), b.start(nil, "-queues", "work")
		b.ledger.await(t, 3, "done", noteTask)
		b.ledger.await(t, 1, "done", otherTask)
		b.ledger.await(t, 4, "start", failTask)
		brokertest.Eventually(t, func() string {
			if s := b.state("work"); s.Dead != 2 {
				return fmt.Sprintf("state %+v, want 2 dead", s)
			}
			return ""
		})
		stop(both, one)
		other, work := "other test.Other: 1 done, 0 retried, 0 dead, 1 waits, 1 runs", "work test.Fail: 0 done, 2 retried, 2 dead, 4 waits, 4 runs; 4 error: as always"
		want(other, work, "work test.Note: 3 done, 0 retried, 0 dead, 3 waits, 3 runs")

		b.delay(noteTask, "g")
		if code := b.start(nil, "-drain").exit(t); code != exitOK {
			t.Errorf("drain: exit code %d", code)
		}
		want(other, work, "work test.Note: 4 done, 0 retried, 0 dead, 4 waits, 4 runs")

		b.delay(noteTask, "h")
		silent := b.start(nil, "-journal", "0")
		b.ledger.await(t, 5, "done", noteTask)
		stop(silent)
		want(other, work, "work test.Note: 4 done, 0 retried, 0 dead, 4 waits, 4 runs")
	})
}
