package rabbitmq_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/rabbitmq"
)

func TestManyChannels(t *testing.T) {
	t.Parallel()
	b := open(t, rabbittest.URL(t))
	c := consume(t, b, "q", 2)
	held := message("q")
	enqueue(t, b, held)
	d := receive(t, c)
	for range 600 { // four channels each, of the 2047 that a connection has
		if _, err := b.Due(testContext(t), "q"); err != nil {
			t.Fatal(err)
		}
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})
	next := message("q")
	enqueue(t, b, next)
	if d := receive(t, c); d.Message().ID != next.ID {
		t.Errorf("delivered %s, want %s: the connection was lost", d.Message().ID, next.ID)
	} else {
		d.Settle(broker.Settlement{Verdict: broker.Done})
	}
}

func TestNoChannelLeaks(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	raw, vhost := rabbittest.VHostURL(t)
	channels := func() int {
		t.Helper()
		n, err := strconv.Atoi(rabbittest.Eval(t, fmt.Sprintf(`length([C || C <- rabbit_channel:list(), [{vhost, <<%q>>}] <- [catch rabbit_channel:info(C, [vhost])]])`, vhost)))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}

	b := open(t, raw)
	m := kept("q")
	enqueue(t, b, m, message("q"))
	settle(t, b, "q", 2, func(of *broker.Message) broker.Settlement {
		if of.ID == m.ID {
			return broker.Settlement{Verdict: broker.Done}
		}
		return broker.Settlement{Verdict: broker.Dead}
	})
	c := consume(t, b, "q", 1)
	use := func() {
		queue := fmt.Sprint("new-", serial.Add(1))
		enqueue(t, b, message(queue))
		_, resultErr := b.Result(testContext(t), m.ID)
		dead, err := b.DeadLetters(testContext(t), "q", 1)
		if len(dead) != 1 {
			t.Errorf("%d dead letters, want 1", len(dead))
		}
		_, purgeErr := b.Purge(testContext(t), queue)
		for _, err := range []error{
			resultErr, err, purgeErr, b.Pause(testContext(t), broker.Pause{What: broker.PauseQueue, Name: queue}), b.Resume(testContext(t), broker.PauseQueue, queue),
			rabbitmq.SubscribeInVain(testContext(t), c),
		} {
			if err != nil {
				t.Error(err)
			}
		}
	}
	use()
	before := channels()
	for range 5 {
		use()
	}
	eventually(t, func() string {
		// One is opened in the background, to look for suspects.
		if n := channels(); n > before+1 {
			return fmt.Sprintf("%d channels, there were %d", n, before)
		}
		return ""
	})
}
