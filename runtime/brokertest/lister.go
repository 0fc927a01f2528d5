package brokertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// shown returns the states whose messages the broker can show. Of the others it
// must say why not.
func shown(t *testing.T, b broker.Broker) (states []broker.State) {
	t.Helper()
	for _, s := range broker.States {
		selection := broker.Selection{States: []broker.State{s}}
		_, err := as[broker.Lister](t, b).List(Context(t), selection, "", 1)
		if err == nil {
			states = append(states, s)
			continue
		}
		refused(t, err)
		_, err = as[broker.Counter](t, b).Counts(Context(t), selection)
		refused(t, err)
	}
	if len(states) < len(broker.States) { // nothing is left out in silence
		_, err := as[broker.Lister](t, b).List(Context(t), broker.Selection{}, "", 1)
		refused(t, err)
		_, err = as[broker.Counter](t, b).Counts(Context(t), broker.Selection{})
		refused(t, err)
	}
	return states
}

// refused checks that an error says why the broker cannot do something.
func refused(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, broker.ErrUnsupported) || len(err.Error()) < len(broker.ErrUnsupported.Error())+20 {
		t.Errorf("error %v, want ErrUnsupported and a reason", err)
	}
}

// assorted stores messages of two queues, tasks and schemas in every state: two of
// each are ready, delayed and dead, and one runs. It returns them by state.
func assorted(t *testing.T, b broker.Broker) map[broker.State][]*broker.Message {
	t.Helper()
	all := make(map[broker.State][]*broker.Message)
	store := func(queue string, state broker.State, task, schema string, in time.Duration) {
		m := Message(queue)
		m.Task, m.Schema = task, schema
		if in > 0 {
			m.NotBefore = time.Now().Add(in)
		}
		all[state] = append(all[state], Enqueue(t, b, m)[0])
	}
	for i, q := range []string{"mail", "images"} {
		task, schema := "acme.org/shop/"+q+".Send", fmt.Sprintf("abcd000%d", i)
		c := Consume(t, b, q, 1)
		for range 2 {
			store(q, broker.StateDead, task, schema, 0)
			d := Receive(t, c)
			m := d.Message()
			m.Failures = append(m.Failures, broker.Failure{Attempt: m.Attempt, At: time.Now(), Kind: broker.FailureError, Error: "no " + q})
			d.Settle(broker.Settlement{Verdict: broker.Dead})
		}
		store(q, broker.StateRunning, task, schema, 0)
		Receive(t, c)
		c.Stop()
		for j := range 2 {
			store(q, broker.StateReady, task, schema, 0)
			store(q, broker.StateDelayed, task, schema, time.Duration(j+1)*time.Hour)
		}
	}
	Eventually(t, func() string {
		for _, q := range []string{"mail", "images"} {
			if s := State(t, b, q); s.Dead != 2 || s.Ready != 2 {
				return fmt.Sprintf("state %+v, want 2 dead and 2 ready", s)
			}
		}
		return ""
	})
	return all
}

// list returns all of a list, a few messages a page.
func list(t *testing.T, b broker.Broker, s broker.Selection) (all []broker.Stored) {
	t.Helper()
	var after broker.Cursor
	for {
		page, err := as[broker.Lister](t, b).List(Context(t), s, after, 3)
		if err != nil {
			t.Fatalf("list %+v after %q: %v", s, after, err)
		}
		if len(page.Messages) > 3 {
			t.Fatalf("a page of %d messages, asked for 3", len(page.Messages))
		}
		all = append(all, page.Messages...)
		if after = page.Next; after == "" {
			return all
		}
	}
}

// wantIDs checks that a list has the messages, each once, in whatever order.
func wantIDs(t *testing.T, what any, got []broker.Stored, want ...*broker.Message) {
	t.Helper()
	var gotIDs, wantIDs []string
	for _, s := range got {
		gotIDs = append(gotIDs, s.Message.ID)
	}
	for _, m := range want {
		wantIDs = append(wantIDs, m.ID)
	}
	slices.Sort(gotIDs)
	slices.Sort(wantIDs)
	if !slices.Equal(gotIDs, wantIDs) {
		t.Errorf("%+v: listed %v, want %v", what, gotIDs, wantIDs)
	}
}

// A list has what is selected, each message once and as it was stored.
func testList(t *testing.T, store Store) {
	b := open(t, store(t))
	stored := assorted(t, b)
	var all []*broker.Message
	states := shown(t, b)
	for _, state := range states {
		all = append(all, stored[state]...)
		got := list(t, b, broker.Selection{States: []broker.State{state}})
		wantIDs(t, state, got, stored[state]...)
		for _, s := range got {
			i := slices.IndexFunc(stored[state], func(m *broker.Message) bool { return m.ID == s.Message.ID })
			if i < 0 {
				continue
			}
			m := stored[state][i]
			if s.State != state || s.Message.Task != m.Task || s.Message.Queue != m.Queue || s.Message.Schema != m.Schema || string(s.Message.Body) != string(m.Body) {
				t.Errorf("listed as %s: %+v, want %+v", s.State, s.Message, m)
			}
			if d := s.At.Sub(m.EnqueuedAt); state == broker.StateDelayed && d < time.Hour-time.Minute || state != broker.StateDelayed && (d < -time.Second || d > Patience) {
				t.Errorf("%s since %v, %v after it was enqueued", state, s.At, d)
			}
			if dead := state == broker.StateDead; dead != (len(s.Message.Failures) == 1) {
				t.Errorf("%s with failures %+v", state, s.Message.Failures)
			}
		}
	}
	of := func(keep func(*broker.Message) bool) (some []*broker.Message) {
		for _, m := range all {
			if keep(m) {
				some = append(some, m)
			}
		}
		return some
	}
	mail := of(func(m *broker.Message) bool { return m.Queue == "mail" })
	for _, c := range []struct {
		selection broker.Selection
		want      []*broker.Message
	}{
		{broker.Selection{}, all},
		{broker.Selection{Queues: []string{"mail"}}, mail},
		{broker.Selection{Queues: []string{"m*"}}, mail},
		{broker.Selection{Queues: []string{"nowhere"}}, nil},
		{broker.Selection{Tasks: []string{"mail.*"}}, mail},
		{broker.Selection{Tasks: []string{"acme.org/shop/mail.Send"}}, mail},
		{broker.Selection{Tasks: []string{"ail.*"}}, nil},
		{broker.Selection{Schemas: []string{"abcd0000"}}, mail},
		{broker.Selection{IDs: []string{mail[0].ID, "no such id"}}, mail[:1]},
		{broker.Selection{IDs: []string{mail[0].ID}, Queues: []string{"images"}}, nil},
		{broker.Selection{EnqueuedBefore: time.Now().Add(-time.Hour)}, nil},
		{broker.Selection{EnqueuedAfter: time.Now().Add(-time.Hour)}, all},
		{broker.Selection{Where: func(s broker.Stored) bool { return string(s.Message.Body) == `{"n":1}` && s.Message.Queue == "mail" }}, mail},
		{broker.Selection{Tasks: []string{"*.Send"}, Where: func(broker.Stored) bool { return false }}, nil},
	} {
		c.selection.States = states
		wantIDs(t, c.selection, list(t, b, c.selection), c.want...)
	}
	lister := as[broker.Lister](t, b)
	dead := broker.Selection{States: []broker.State{broker.StateDead}}
	if _, err := lister.List(Context(t), dead, "no cursor", 3); err == nil || !strings.Contains(err.Error(), "no cursor") {
		t.Errorf("a cursor that is none: %v", err)
	}
	if _, err := lister.List(Context(t), dead, "", 0); err == nil {
		t.Error("a page of 0 messages is listed")
	}
}

// A message is found by its id.
func testStored(t *testing.T, store Store) {
	b := open(t, store(t))
	stored := assorted(t, b)
	lister := as[broker.Lister](t, b)
	for _, state := range shown(t, b) {
		m := stored[state][1]
		got, err := lister.Stored(Context(t), m.ID)
		if err != nil || got.State != state || got.Message.ID != m.ID || got.Message.Queue != m.Queue || string(got.Message.Body) != string(m.Body) {
			t.Errorf("%s: %+v, %v, want %+v", state, got, err, m)
		}
	}
	if _, err := lister.Stored(Context(t), "no such id"); !errors.Is(err, broker.ErrNoMessage) {
		t.Errorf("an id of no message: %v, want ErrNoMessage", err)
	}
}

// Counts add up to what is listed.
func testCounts(t *testing.T, store Store) {
	b := open(t, store(t))
	stored := assorted(t, b)
	states := shown(t, b)
	counter := as[broker.Counter](t, b)
	got, err := counter.Counts(Context(t), broker.Selection{States: states})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, c := range got {
		kinds = append(kinds, fmt.Sprintf("%d %s of %s %s on %s", c.Messages, c.State, c.Task, c.Schema, c.Queue))
		if c.State != broker.StateDelayed {
			if wait := time.Since(c.Oldest); wait < 0 || wait > Patience || c.Latest.Before(c.Oldest) {
				t.Errorf("%s since %v, the latest since %v", c.State, c.Oldest, c.Latest)
			}
			continue
		}
		if first, last := time.Until(c.Oldest), time.Until(c.Latest); first < 50*time.Minute || first > time.Hour || last < 110*time.Minute || last > 2*time.Hour {
			t.Errorf("due in %v to %v, want 1h to 2h", first, last)
		}
	}
	var want []string
	for i, q := range []string{"images", "mail"} {
		for _, s := range states {
			want = append(want, fmt.Sprintf("%d %s of acme.org/shop/%s.Send abcd000%d on %s", len(stored[s])/2, s, q, 1-i, q))
		}
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("counts\n%s\nwant\n%s", strings.Join(kinds, "\n"), strings.Join(want, "\n"))
	}
	for _, c := range []struct {
		selection broker.Selection
		want      int
	}{
		{broker.Selection{Queues: []string{"mail"}}, 2},
		{broker.Selection{Tasks: []string{"images.*"}}, 2},
		{broker.Selection{Tasks: []string{"none.*"}}, 0},
		{broker.Selection{IDs: []string{stored[broker.StateDead][0].ID, stored[broker.StateDead][0].ID}}, 1},
		{broker.Selection{Where: func(s broker.Stored) bool { return s.Message.Failures[0].Error == "no mail" }}, 2},
	} {
		c.selection.States = []broker.State{broker.StateDead}
		got, err := counter.Counts(Context(t), c.selection)
		total := 0
		for _, c := range got {
			total += c.Messages
		}
		if err != nil || total != c.want {
			t.Errorf("%+v: %d messages, %v, want %d", c.selection, total, err, c.want)
		}
	}
}
