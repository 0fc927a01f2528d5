package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/postgresnode"
	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// traffic is messages that are enqueued and executed while something is disturbed.
type traffic struct {
	t    *testing.T
	b    *Broker
	stop chan struct{}
	all  sync.WaitGroup

	mu       sync.Mutex
	enqueued map[string]bool
	executed map[string]int
}

func begin(t *testing.T, b *Broker) *traffic {
	t.Helper()
	f := &traffic{t: t, b: b, stop: make(chan struct{}), enqueued: make(map[string]bool), executed: make(map[string]int)}
	c := brokertest.Consume(t, b, "q", 10)
	go func() {
		for d := range c.Deliveries() {
			f.mu.Lock()
			f.executed[d.Message().ID]++
			f.mu.Unlock()
			d.Settle(broker.Settlement{Verdict: broker.Done})
		}
	}()
	for range 4 {
		f.all.Go(func() {
			for {
				select {
				case <-f.stop:
					return
				default:
				}
				m := newMessage("q")
				if err := b.Enqueue(testContext(t), m); err != nil {
					t.Errorf("enqueue: %v", err)
					return
				}
				f.mu.Lock()
				f.enqueued[m.ID] = true
				f.mu.Unlock()
			}
		})
	}
	f.more(200)
	return f
}

// more waits until n more messages were executed.
func (f *traffic) more(n int) {
	f.t.Helper()
	executed := func() int { f.mu.Lock(); defer f.mu.Unlock(); return len(f.executed) }
	want := executed() + n
	brokertest.Eventually(f.t, func() string {
		if n := executed(); n < want {
			return fmt.Sprintf("%d messages executed, want %d", n, want)
		}
		return ""
	})
}

// end ends the traffic, and checks that nothing was lost.
func (f *traffic) end() {
	f.t.Helper()
	close(f.stop)
	f.all.Wait()
	brokertest.Eventually(f.t, func() string {
		f.mu.Lock()
		defer f.mu.Unlock()
		lost := 0
		for id := range f.enqueued {
			if f.executed[id] == 0 {
				lost++
			}
		}
		if lost > 0 {
			return fmt.Sprintf("%d of %d messages were not executed", lost, len(f.enqueued))
		}
		return ""
	})
	brokertest.Eventually(f.t, func() string {
		if s := brokertest.State(f.t, f.b, "q"); s.Ready+s.Running+s.Dead > 0 {
			return fmt.Sprintf("left in the queue: %+v", s)
		}
		return ""
	})
	twice := 0
	for _, n := range f.executed {
		if n > 1 {
			twice++
		}
	}
	f.t.Logf("%d executed, %d of them twice", len(f.executed), twice)
}

// When connections are cut, again and again, nobody notices but the log.
func TestBackendsTerminated(t *testing.T) {
	t.Parallel()
	b := openBroker(t, postgrestest.URL(t)+"&application_name="+t.Name())
	f := begin(t, b)
	killer := connect(t, b) // outside of those that are killed
	exec := func() {
		if _, err := killer.Exec(testContext(t), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND pid <> pg_backend_pid()", t.Name()); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		exec()
		f.more(100)
	}
	f.end()
}

// A server that is stopped in good order, and one that crashes, are waited for.
func TestServerRestarts(t *testing.T) {
	t.Parallel()
	node := postgrestest.StartNode(t, postgresnode.Options{Durable: true})
	b := openBroker(t, node.URL())
	f := begin(t, b)
	for _, signal := range []string{postgresnode.Fast, postgresnode.Crash} {
		if err := node.End(signal); err != nil {
			t.Fatal(err)
		}
		if err := node.Boot(testContext(t)); err != nil {
			t.Fatal(err)
		}
		f.more(100)
	}
	f.end()
	if err := node.End(postgresnode.Fast); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(testContext(t), 200*time.Millisecond)
	defer cancel()
	err := b.Enqueue(ctx, newMessage("q"))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), node.Addr()) || strings.Contains(err.Error(), "\n") {
		t.Errorf("enqueue while the server is away: %v", err)
	}
	if _, err := Open(testContext(t), node.URL(), broker.Config{}); err == nil || !strings.Contains(err.Error(), node.Addr()) || strings.Contains(err.Error(), "\n") {
		t.Errorf("open while the server is away: %v", err)
	}
	if err := node.Boot(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

// Without LISTEN, as behind a pooler, messages, pauses and results are found by
// looking.
func TestPolling(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	b, other := openBroker(t, url), openBroker(t, url)
	b.place.direct = false
	c := brokertest.Consume(t, b, "q", 1)
	m := newMessage("q")
	m.Keep = time.Minute
	brokertest.Enqueue(t, other, m)
	brokertest.Receive(t, c).Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("1")})
	if r, err := b.Result(testContext(t), m.ID); err != nil || string(r.Value) != "1" {
		t.Errorf("result %s, %v", r.Value, err)
	}
	if err := other.Pause(testContext(t), broker.Pause{What: broker.PauseQueue, Name: "q"}); err != nil {
		t.Fatal(err)
	}
	brokertest.Enqueue(t, other, newMessage("q"))
	if due, err := other.Due(testContext(t), "q"); !due || err != nil {
		t.Errorf("due %v, %v", due, err)
	}
	if err := other.Resume(testContext(t), broker.PauseQueue, "q"); err != nil {
		t.Fatal(err)
	}
	brokertest.Receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	brokertest.Drained(t, b, c, "q")
}

// A notification wakes a consumer of another process, though that does not look by
// itself.
func TestNotification(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	b, other := openBroker(t, url), openBroker(t, url)
	b.claimer.every = time.Hour
	c := brokertest.Consume(t, b, "q", 1)
	brokertest.Eventually(t, func() string {
		if !one[bool](t, b, "SELECT count(*) = 1 FROM dtask_workers WHERE session") {
			return "the process does not listen"
		}
		return ""
	})
	for range 5 {
		brokertest.Enqueue(t, other, newMessage("q"))
		brokertest.Receive(t, c).Settle(broker.Settlement{Verdict: broker.Done})
	}
}

// A process that is suspended loses its messages, and what it says of them later has
// no effect; when it goes on, its consumers do.
func TestSuspended(t *testing.T) {
	t.Parallel()
	url := postgrestest.URL(t)
	b, other := openBroker(t, url), openBroker(t, url)
	c := brokertest.Consume(t, b, "q", 1)
	m := brokertest.Enqueue(t, b, newMessage("q"))[0]
	held := brokertest.Receive(t, c)
	// Others see it as suspended: it is long ago that it was heard of.
	second := brokertest.Consume(t, other, "q", 1)
	exec(t, b, "CREATE FUNCTION "+b.schema+".old() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = "+
		fmt.Sprint(b.liveness.worker.Load())+" THEN NEW.seen := NEW.seen - interval '1 minute'; END IF; RETURN NEW; END $$;")
	exec(t, b, "CREATE TRIGGER old BEFORE UPDATE ON dtask_workers FOR EACH ROW EXECUTE FUNCTION "+b.schema+".old()")
	d := brokertest.Receive(t, second)
	if d.Message().ID != m.ID || d.Message().Attempt != 2 {
		t.Errorf("delivered %s at attempt %d, want %s at 2", d.Message().ID, d.Message().Attempt, m.ID)
	}
	held.Settle(broker.Settlement{Verdict: broker.Dead, Then: []*broker.Message{newMessage("next")}}) // too late
	d.Settle(broker.Settlement{Verdict: broker.Done})
	brokertest.Drained(t, b, second, "q")
	if s := brokertest.State(t, b, "q"); s.Dead > 0 {
		t.Errorf("a late settlement had an effect: %+v", s)
	}
	if s := brokertest.State(t, b, "next"); s.Ready > 0 {
		t.Errorf("what followed from a late settlement is there: %+v", s)
	}
	second.Close(testContext(t))
	brokertest.Drained(t, b, c, "q") // it goes on
}

// What a claim has taken whose answer was lost goes back.
func TestLostClaim(t *testing.T) {
	t.Parallel()
	b := openBroker(t, postgrestest.URL(t))
	c := brokertest.Consume(t, b, "q", 1).(*consumer)
	exec(t, b, "INSERT INTO dtask_messages (id, task, queue, state, owner, claim) VALUES ('lost', 't', 'q', 1, $1, 1), ('ownerless', 't', 'q', 1, -1, 1)", c.id.Load())
	b.liveness.doubt()
	got := make(map[string]int)
	for range 2 {
		d := brokertest.Receive(t, c)
		got[d.Message().ID] = d.Message().Attempt
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
	if got["lost"] != 1 || got["ownerless"] != 1 {
		t.Errorf("delivered %v, want both at attempt 1", got)
	}
}
