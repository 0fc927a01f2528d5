package brokertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Whichever way a message comes in, the census has its kind once that is on disk, and
// the time by which it is due. Every process reads the same, those of another namespace
// excepted.
func testCensus(t *testing.T, store Store) {
	url := store(t)
	b, other, reader, stranger := open(t, url), open(t, url), open(t, url), open(t, store(t))
	type kind struct{ queue, task, schema string }
	sent := make(map[kind]time.Time) // when the last of them is due
	make1 := func(queue, task, schema string, delay time.Duration) *broker.Message {
		m := Message(queue)
		m.Task, m.Schema = task, schema
		if delay > 0 {
			m.NotBefore = time.Now().Add(delay)
		}
		return m
	}
	note := func(m *broker.Message) *broker.Message {
		k := kind{m.Queue, m.Task, m.Schema}
		if due, known := sent[k]; !known || due.Before(m.NotBefore) {
			sent[k] = m.NotBefore
		}
		return m
	}
	check := func() {
		t.Helper()
		c, err := as[broker.Censor](t, reader).Census(Context(t))
		if err != nil {
			t.Fatal(err)
		}
		known := make(map[kind]broker.Kind)
		for _, k := range c.Kinds {
			known[kind{k.Queue, k.Task, k.Schema}] = k
			if age := time.Since(k.Seen); age < -time.Minute || age > 24*time.Hour {
				t.Errorf("%+v was seen %v ago", k, age)
			}
		}
		for k, due := range sent {
			if got, ok := known[k]; !ok || got.Latest.Before(due) {
				t.Errorf("the census has %+v of %+v, which is due by %v", got, k, due)
			}
		}
		if len(known) != len(sent) || !c.Since.IsZero() || c.Overflow || len(c.Unnamed) > 0 {
			t.Errorf("census %+v, want kinds %v alone", c, sent)
		}
	}
	check() // nobody has sent anything

	Enqueue(t, b, note(make1("q", "pkg.A", "1", 0)))
	check()
	Enqueue(t, b, note(make1("q", "pkg.A", "1", time.Hour)), note(make1("q", "pkg.A", "1", 100*24*time.Hour)), note(make1("q", "pkg.A", "", 0)))
	check()
	many := []*broker.Message{note(make1("q", "pkg.A", "2", 0)), note(make1("r", "pkg.B", "2", 48*time.Hour)), note(make1("r", "pkg.B", "2", 0))}
	for i := range 20 {
		many = append(many, note(make1(fmt.Sprint("many", i), "pkg.B", "3", 0)))
	}
	for _, err := range other.EnqueueMany(Context(t), many) {
		if err != nil {
			t.Fatal(err)
		}
	}
	check()

	// A worker sends what follows, and what is to come again much later.
	c := Consume(t, other, "s", 1)
	Enqueue(t, b, note(make1("s", "pkg.C", "1", 0)))
	d := Receive(t, c)
	again := d.Message()
	again.NotBefore = time.Now().Add(30 * 24 * time.Hour)
	note(again)
	d.Settle(broker.Settlement{Verdict: broker.Requeue, Then: []*broker.Message{note(make1("then", "pkg.D", "1", 0))}})
	closeConsumer(t, c)
	check()
	if ticks, ok := b.(broker.TickStore); ok {
		Eventually(t, func() string {
			if _, err := ticks.LastTick(Context(t), "pkg.E"); err != nil {
				return err.Error()
			}
			return ""
		})
		if ok, err := ticks.Tick(Context(t), "pkg.E", time.Time{}, time.Now(), note(make1("ticks", "pkg.E", "1", 0))); !ok || err != nil {
			t.Fatal(ok, err)
		}
		check()
	}
	if census, err := as[broker.Censor](t, stranger).Census(Context(t)); err != nil || len(census.Kinds) > 0 {
		t.Errorf("another namespace has %+v, %v", census, err)
	}
}
