package rabbitmq_test

import (
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
)

func foreign(id string, notBefore time.Time) amqp.Publishing {
	return amqp.Publishing{Type: "t", MessageId: id, Body: []byte("{}"), Headers: amqp.Table{"dtask-not-before": notBefore.UnixMilli()}}
}

func TestForeignMessages(t *testing.T) {
	t.Parallel()
	noLeaks(t)
	raw := rabbittest.URL(t)
	b := open(t, raw)
	c := consume(t, b, "q", 2)
	ch := rabbittest.Channel(t, raw)
	publish := func(p amqp.Publishing) {
		t.Helper()
		if err := ch.Publish("", rabbittest.Namespace(t, raw)+".queue.q", true, false, p); err != nil {
			t.Fatal(err)
		}
	}
	bad := map[string]amqp.Publishing{
		"the property type":     {MessageId: "no type", Body: []byte("{}")},
		"header dtask-attempts": {MessageId: "bad attempts", Type: "t", Headers: amqp.Table{"dtask-attempts": "many"}},
		"header dtask-attempt":  {MessageId: "no attempt", Type: "t", Headers: amqp.Table{"dtask-attempt": int32(0)}},
		"header dtask-expires":  {MessageId: "never", Type: "t", Headers: amqp.Table{"dtask-expires": int64(1) << 62}},
		"header dtask-failures": {MessageId: "no history", Type: "t", Headers: amqp.Table{"dtask-failures": "{"}},
		"header dtask-schema":   {MessageId: "no schema", Type: "t", Headers: amqp.Table{"dtask-schema": amqp.Table{"a": "b"}}},
		"the body has":          {MessageId: "huge", Type: "t", Body: make([]byte, broker.MaxBodySize+1)},
	}
	for _, p := range bad {
		publish(p)
	}
	publish(amqp.Publishing{Type: "mail.Send", MessageId: "plain", Body: []byte(`{"to":"a"}`), Headers: amqp.Table{
		"tenant": "blue", "n": int32(7), "nested": amqp.Table{"x": "y"}, "x-opt": "theirs", "dtask-attempts": int16(3),
	}})
	d := receive(t, c)
	m := d.Message()
	if m.ID != "plain" || m.Task != "mail.Send" || m.Queue != "q" || m.Attempt != 1 || m.Attempts != 3 ||
		len(m.Headers) != 2 || m.Headers["tenant"] != "blue" || m.Headers["n"] != "7" {
		t.Errorf("delivered %+v", m)
	}
	d.Settle(broker.Settlement{Verdict: broker.Done})

	var dead []*broker.Message
	eventually(t, func() string {
		var err error
		if dead, err = b.DeadLetters(testContext(t), "q", 100); err != nil || len(dead) != len(bad) {
			return "dead letters are missing: " + errText(err)
		}
		return ""
	})
	for _, m := range dead {
		found := false
		for reason, p := range bad {
			if p.MessageId == m.ID {
				found = len(m.Failures) > 0 && strings.Contains(m.Failures[len(m.Failures)-1].Error, reason)
			}
		}
		if !found {
			t.Errorf("dead letter %s says %v", m.ID, m.Failures)
		}
	}
}
