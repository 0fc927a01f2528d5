package operate_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// dieOf makes a dead letter of a task on a queue, with a failure, and returns its id.
func dieOf(t *testing.T, b broker.Broker, queue, task, kind, text string) string {
	t.Helper()
	c := brokertest.Consume(t, b, queue, 1)
	m := brokertest.Message(queue)
	m.Task = task
	brokertest.Enqueue(t, b, m)
	d := brokertest.Receive(t, c)
	d.Message().Failures = []broker.Failure{{Attempt: 1, At: time.Now(), Kind: kind, Error: text}}
	dead := brokertest.State(t, b, queue).Dead
	d.Settle(broker.Settlement{Verdict: broker.Dead})
	c.Stop()
	brokertest.Eventually(t, func() string {
		if s := brokertest.State(t, b, queue); s.Dead != dead+1 {
			return fmt.Sprintf("state %+v, want %d dead", s, dead+1)
		}
		return ""
	})
	return m.ID
}

// Dead letters of one task and one fault are a group, on whatever queues they are, and
// its selection has them and no others.
func TestGroups(t *testing.T) {
	onBrokers(t, func(t *testing.T, b broker.Broker) {
		const away = "dial tcp mail:25: connection refused"
		const odd = `shop/odd,"*".Task`
		dieOf(t, b, "mail", "shop/mail.Send", "error", away+" for ann@acme.com")
		dieOf(t, b, "post", "shop/mail.Send", "error", away+" for bob@acme.com")
		newest := dieOf(t, b, "mail", "shop/mail.Send", "error", away+" for cid@acme.com")
		dieOf(t, b, "mail", "mail.Send", "error", away+" for ann@acme.com") // a suffix of the other name
		dieOf(t, b, "mail", "shop/mail.Send", "panic", away+" for ann@acme.com")
		dieOf(t, b, "mail", odd, "error", away+" for ann@acme.com")
		o, ctx := operate.New(b), brokertest.Context(t)

		found, err := o.Groups(ctx, selected(t, "-task:pkg.Task"), 0)
		if err != nil || found.Messages != 6 || found.More || found.Others != 0 || len(found.Groups) != 4 {
			t.Fatalf("%+v, %v", found, err)
		}
		g := found.Groups[0]
		if g.Messages != 3 || g.Task != "shop/mail.Send" || g.Kind != "error" || g.Error != away+" for …" || g.Sample != newest || !slices.Equal(g.Queues, []string{"mail", "post"}) || g.Oldest.After(g.Newest) || g.Newest.IsZero() {
			t.Errorf("the largest group is %+v", g)
		}
		for _, g := range found.Groups {
			n := 0
			for m, err := range o.Messages(ctx, selected(t, g.Selection()), 0) {
				if err != nil || m.Message.Task != g.Task || m.Message.Failures[0].Kind != g.Kind {
					t.Fatalf("%s selects %+v, %v", g.Selection(), m.Message, err)
				}
				n++
			}
			if n != g.Messages {
				t.Errorf("%s selects %d, want %d", g.Selection(), n, g.Messages)
			}
		}
		if some, err := o.Groups(ctx, selected(t, ""), 2); err != nil || some.Messages != 2 || !some.More {
			t.Errorf("of two at most: %+v, %v", some, err)
		}
		if none, err := o.Groups(ctx, selected(t, "state:ready"), 0); err != nil || none.Messages != 0 {
			t.Errorf("of what waits: %+v, %v", none, err)
		}
	})
}
