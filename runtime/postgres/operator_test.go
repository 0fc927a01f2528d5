package postgres

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// What processes count of one minute at the same time is added up.
func TestNoteTogether(t *testing.T) {
	t.Parallel()
	const batches = 10
	url := postgrestest.URL(t)
	minute := time.Now().Truncate(time.Minute)
	var all sync.WaitGroup
	brokers := []*Broker{openBroker(t, url), openBroker(t, url)}
	for i, b := range brokers {
		all.Go(func() {
			for serial := range batches {
				tally := broker.Tally{Minute: minute, Queue: "q", Task: "pkg.T", Done: 1}
				batch := broker.Batch{Process: strconv.Itoa(i), Serial: int64(serial + 1), Keep: time.Hour, Tallies: []broker.Tally{tally}}
				if _, err := b.Note(testContext(t), batch); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	ts, err := brokers[0].Tallies(testContext(t), minute)
	if err != nil || len(ts) != 1 || ts[0].Done != 2*batches {
		t.Errorf("tallies %+v, %v; want %d done", ts, err, 2*batches)
	}
}

// An order is found without notifications, too, by its process alone.
func TestOrdersPolled(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	b, operator := openBroker(t, url), openBroker(t, url)
	b.place.direct = false
	got := make(chan string, 10)
	for _, process := range []string{"a", "b"} {
		if err := b.Orders(testContext(t), process, func(o broker.Order) { got <- process + " " + string(o.Kind) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := operator.Order(testContext(t), "b", broker.Order{Kind: broker.OrderQuiet}); err != nil {
		t.Fatal(err)
	}
	if text := <-got; text != "b quiet" {
		t.Errorf("ordered %s", text)
	}
}

// Since when messages wait is that of the first one of any priority that is due.
func TestOldestDue(t *testing.T) {
	t.Parallel()
	b := openBroker(t, postgrestest.URL(t))
	want := func(queue string, want time.Time) {
		t.Helper()
		if got, err := b.OldestDue(testContext(t), queue); err != nil || !got.Equal(want) {
			t.Errorf("queue %s: %v, %v; want %v", queue, got, err, want)
		}
	}
	now := time.Now().Truncate(time.Millisecond)
	first, second, later := newMessage("q"), newMessage("q"), newMessage("later")
	first.EnqueuedAt, first.Priority = now.Add(-time.Hour), broker.PriorityLow
	second.EnqueuedAt = now.Add(-time.Minute)
	later.EnqueuedAt, later.NotBefore = now, now.Add(time.Hour)
	brokertest.Enqueue(t, b, second, first, later)
	want("q", first.EnqueuedAt)
	want("later", time.Time{})
	want("none", time.Time{})
}

// A broker says which server it is connected to, also if the URL names several.
func TestIdentity(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	b := openBroker(t, url)
	brokertest.Drained(t, b, brokertest.Consume(t, b, "q", 1), "q")
	i := b.Identity()
	if i.System != "postgresql" || i.Host == "" || i.Port == 0 {
		t.Errorf("identity %+v", i)
	}
	brokertest.Eventually(t, func() string {
		if n := b.Identity().Connections; n != 1 {
			return strconv.FormatInt(n, 10) + " connections, want 1"
		}
		return ""
	})
	server := i.Host + ":" + strconv.Itoa(i.Port)
	several := openBroker(t, strings.Replace(url, server, "127.0.0.1:1,"+server, 1))
	brokertest.Enqueue(t, several, newMessage("other"))
	if j := several.Identity(); j.Host != i.Host || j.Port != i.Port {
		t.Errorf("identity of several hosts %+v, want %+v", j, i)
	}
}
