package brokertest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// What processes have counted is added up by minute, queue and task, whatever their
// clocks say, once for each batch, and is there after a restart.
func testTallies(t *testing.T, store Store) {
	url := store(t)
	worker, other, operator, stranger := open(t, url), open(t, url), open(t, url), open(t, store(t))
	now := time.Now().UTC().Truncate(time.Minute)
	since := now.Add(-30 * time.Minute)
	tally := func(minute time.Time, queue, task string, done int64) broker.Tally {
		t := broker.Tally{Minute: minute, Queue: queue, Task: task, Done: done}
		for range done {
			t.Waited.Add(3 * time.Millisecond)
			t.Ran.Add(time.Second)
		}
		return t
	}
	note := func(b broker.Broker, process string, serial int64, ts ...broker.Tally) {
		t.Helper()
		again, err := as[broker.Journal](t, b).Note(Context(t), broker.Batch{Process: process, Serial: serial, Keep: time.Hour, Tallies: ts})
		if err != nil || again < time.Second || again > 10*time.Second {
			t.Fatalf("note: again after %v, %v", again, err)
		}
	}
	want := func(b broker.Broker, since time.Time, want ...broker.Tally) {
		t.Helper()
		Eventually(t, func() string {
			got, err := as[broker.Journal](t, b).Tallies(Context(t), since)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				got[i].Minute = got[i].Minute.UTC()
				for j := range got[i].Failures {
					got[i].Failures[j].At = got[i].Failures[j].At.UTC()
				}
			}
			if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
				return fmt.Sprintf("tallies %+v\nwant %+v", got, want)
			}
			return ""
		})
	}
	want(operator, since)

	failed := tally(now, "mail", "mail.Send", 1)
	failed.Dead, failed.Retried = 1, 1
	failed.AddFailure(broker.TallyFailure{Kind: broker.FailureTimeout, Messages: 2, At: now.Add(2 * time.Second), ID: "7", Error: "no answer"})
	note(worker, "a", 1, tally(now, "mail", "mail.Send", 2), tally(now, "images", "mail.Send", 1))
	note(worker, "a", 2, failed)
	note(worker, "a", 2, failed) // it was not sure
	note(worker, "a", 1, failed)
	note(other, "b", 1, failed)
	sum := tally(now, "mail", "mail.Send", 4)
	sum.Dead, sum.Retried = 2, 2
	sum.AddFailure(broker.TallyFailure{Kind: broker.FailureTimeout, Messages: 4, At: now.Add(2 * time.Second), ID: "7", Error: "no answer"})
	images := tally(now, "images", "mail.Send", 1)
	want(operator, since, images, sum)
	want(worker, since, images, sum)
	want(stranger, since)

	// The clock of one process is behind by ten minutes, that of another ahead.
	behind, ahead := tally(now.Add(-10*time.Minute), "mail", "mail.Send", 5), tally(now.Add(10*time.Minute), "mail", "mail.Send", 6)
	note(other, "behind", 1, behind)
	note(other, "ahead", 1, ahead)
	want(operator, since, behind, images, sum, ahead)
	want(operator, now, images, sum, ahead)
	want(operator, now.Add(time.Hour))

	// What is from before a restart is in one sum with what comes after it.
	b := openURL(t, url)
	note(b, "c", 1, images)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = open(t, url)
	note(b, "d", 1, images)
	images = tally(now, "images", "mail.Send", 3)
	want(b, since, behind, images, sum, ahead)
	want(operator, since, behind, images, sum, ahead)
}

// An act is kept as it was said last.
func testActs(t *testing.T, store Store) {
	url := store(t)
	b, operator, stranger := open(t, url), open(t, url), open(t, store(t))
	now := time.Now().UTC().Truncate(time.Millisecond)
	note := func(b broker.Broker, a broker.Act) {
		t.Helper()
		if err := as[broker.Journal](t, b).NoteAct(Context(t), a); err != nil {
			t.Fatal(err)
		}
	}
	want := func(b broker.Broker, since time.Time, want ...broker.Act) {
		t.Helper()
		Eventually(t, func() string {
			got, err := as[broker.Journal](t, b).Acts(Context(t), since)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
				return fmt.Sprintf("acts %+v\nwant %+v", got, want)
			}
			return ""
		})
	}
	want(operator, now)
	first := broker.Act{ID: "1", Began: now, User: "ann", Host: "here", Did: "retried", On: "state:dead", Planned: 7}
	second := broker.Act{ID: "2", Began: now.Add(-time.Minute), User: "bob", Host: "there", Did: "paused", On: "queue:mail", Planned: -1}
	note(b, first)
	note(operator, second)
	want(operator, now.Add(-time.Hour), second, first)
	first.Changed, first.Skipped, first.Ended, first.Error = 5, 1, now.Add(time.Second), "interrupted"
	note(b, first)
	want(b, now.Add(-time.Hour), second, first)
	want(operator, now, first)
	want(stranger, now.Add(-time.Hour))
}
