//go:build unix

package worker

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbitnode"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// A drain that has put something off, or finds queues that nobody takes, does not
// say that all is done.
func TestDrainLeft(t *testing.T) {
	onEachBroker(t, func(t *testing.T, b *bench) {
		b.delay(define("test.Gone", "work", 3), "x")
		b.delay(define("test.Gone.Too", "work", 3), "y")
		p := b.start(nil, "-drain", "-queues", "work")
		if code := p.exit(t); code != exitLeft || !strings.Contains(p.stdout.String(), "2 put off") {
			t.Errorf("exit code %d, want %d for two that were handed back:\n%s", code, exitLeft, p.stdout)
		}

		for _, queue := range []string{"old", "old", "older"} {
			if _, err := noteTask.Delay(dtask.NewContext(t.Context(), b.client), textArgs{"x"}, dtask.Queue(queue)); err != nil {
				t.Fatal(err)
			}
		}
		p = b.start(nil, "-drain", "-queues", "other")
		if code := p.exit(t); code != exitLeft {
			t.Errorf("exit code %d, want %d for two queues that nobody takes", code, exitLeft)
		}
		for _, text := range []string{"old has 2 messages and no consumer", "older has 1 messages and no consumer"} {
			if !strings.Contains(p.stdout.String(), text) {
				t.Errorf("want %q:\n%s", text, p.stdout)
			}
		}
		p = b.start(nil, "-queues", "other")
		p.logged(t, 2, "nobody takes the messages of a queue")
	})
}

// During an alarm of RabbitMQ no outcome is reported that is not recorded: neither
// by a drain nor by a worker that is stopped.
func TestNotRecorded(t *testing.T) {
	t.Parallel()
	node := rabbittest.StartNode(t, rabbitnode.Options{})
	b := newBench(t, node.URL())
	for _, keep := range []time.Duration{0, time.Hour} {
		for range 5 {
			if _, err := noteTask.Delay(dtask.NewContext(t.Context(), b.client), textArgs{"x"}, dtask.Keep(keep)); err != nil {
				t.Fatal(err)
			}
		}
	}
	node.MemoryAlarm(true)
	defer node.MemoryAlarm(false)
	w := b.start(nil)
	b.ledger.await(t, 10, "done", noteTask)
	w.logged(t, 1, "RabbitMQ accepts no messages")
	w.signal(t, syscall.SIGTERM)
	if code := w.exit(t); code != exitLeft || !strings.Contains(w.stderr.String(), "done=5") || !strings.Contains(w.stderr.String(), "not_recorded=5") {
		t.Errorf("exit code %d, want %d, done=5 and not_recorded=5", code, exitLeft)
	}
	node.MemoryAlarm(false)
	if code := b.start(nil, "-drain").exit(t); code != exitOK {
		t.Errorf("drain after the alarm: exit code %d", code)
	}
	if n := len(b.ledger.of("done", noteTask)); n != 15 {
		t.Errorf("%d runs, want 15: those not recorded run again, and no others", n)
	}
}
