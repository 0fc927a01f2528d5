package console

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// What living workers have is listed, and can be enqueued with the fingerprint that they
// announce. Nothing else can.
func TestTasksOfWorkers(t *testing.T) {
	onBrokers(t, func(t *testing.T, url string, _ []string) {
		dtask(t, url, "tasks").want(t, exitOK, `^none$`)
		dtask(t, url, "enqueue", "mail.Send").want(t, exitNothing, `no such task "mail.Send": no living worker has it`)
		alive(t, url)
		dtask(t, url, "tasks").want(t, exitOK, `^TASK +QUEUE +RETRIES +SCHEMA +WORKERS +BUILDS$`, `^mail.Send +mail +0 +5ca1ab1e +1`)
		dtask(t, url, "enqueue", "mail.Sedn").want(t, exitNothing, `did you mean mail.Send\?`)
		dtask(t, url, "enqueue", "mail.Send", "--args", "[1]").want(t, exitUsage, `no JSON object`)
		dtask(t, url, "enqueue", "mail.Send", "--args", `{"to":"x"}`, "--queue", "fresh").want(t, exitOK, `^[0-9a-f-]{36}$`)
		dtask(t, url, "__complete", "enqueue", "mail").want(t, exitOK, `^mail.Digest$`)

		b := openBroker(t, url)
		defer b.Close()
		d := brokertest.Receive(t, brokertest.Consume(t, b, "fresh", 1))
		if m := d.Message(); m.Task != "acme.org/shop/mail.Send" || m.Schema != "5ca1ab1e" || string(m.Body) != `{"to":"x"}` || m.Attempts != 1 {
			t.Errorf("enqueued %+v", m)
		}
		d.Settle(broker.Settlement{Verdict: broker.Done})

		other := broker.Process{ID: "other", Host: "there", PID: 2, Started: time.Now(), Tasks: []broker.ProcessTask{{Name: "acme.org/shop/mail.Send", Schema: "fedcba98", Queue: "mail"}}}
		if _, err := b.(broker.Registry).Announce(brokertest.Context(t), other); err != nil {
			t.Fatal(err)
		}
		brokertest.Eventually(t, func() string {
			var tasks []taskRecord
			if r := dtask(t, url, "tasks", "-o", "json"); json.Unmarshal([]byte(r.out), &tasks) != nil || len(tasks) != 3 {
				return r.out + r.err
			}
			return ""
		})
		r := dtask(t, url, "enqueue", "mail.Send")
		r.want(t, exitFailed, `may be acme.org/shop/mail.Send of schema 5ca1ab1e, or acme.org/shop/mail.Send of schema fedcba98`)
		if strings.Count(r.err, "\n") != 1 {
			t.Errorf("%+v", r)
		}
		dtask(t, url, "enqueue", "mail.Send", "--schema", "fedcba98", "--queue", "fresh", "-o", "json").want(t, exitOK, `"id":`)
	})
}
