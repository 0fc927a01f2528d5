package console

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// The doctor says what is wrong, and what to do.
func TestDoctor(t *testing.T) {
	onBrokers(t, func(t *testing.T, url string, _ []string) {
		lists := url[:4] != "amqp"
		dtask(t, url, "doctor").want(t, exitSick, `^workers +problem +no worker is alive +start a worker`, `^consumers +problem +queue mail has 1 messages and no consumer`, `^dead letters +warning +there are 4 dead letters`)
		alive(t, url)
		r := dtask(t, url, "doctor")
		r.want(t, exitSick, `^workers +ok +1 are alive`)
		if lists { // RabbitMQ does not know what waits
			r.want(t, exitSick, `^tasks +problem +1 of pkg.Task wait on mail, and no living worker has the task`)
		} else {
			r.want(t, exitSick, `^waiting +unknown`)
		}
		if !lists { // what AMQP does not show
			r.want(t, exitSick, `^policies +unknown +AMQP does not show them`, `^permissions +ok`)
		} else if strings.Contains(r.out, "policies") {
			t.Errorf("policies of a database: %s", r.out)
		}
		dtask(t, url, "doctor", "--management", "http://127.0.0.1:1").want(t, exitSick, `^(policies|management) +unknown`)
		b := openBroker(t, url)
		defer b.Close()
		c := brokertest.Consume(t, b, "mail", 1)
		d := brokertest.Receive(t, c)
		d.Settle(broker.Settlement{Verdict: broker.Done})
		old := brokertest.Message("mail")
		old.Task, old.Schema, old.NotBefore = "acme.org/shop/mail.Send", "0ld", time.Now().Add(time.Hour)
		brokertest.Enqueue(t, b, old)
		skewed := broker.Process{ID: "skewed", Host: "late", PID: 2, Now: time.Now().Add(-4 * time.Minute), Build: broker.Build{Revision: "abc"}}
		fast := broker.Process{ID: "fast", Host: "early", PID: 3, Now: time.Now().Add(4 * time.Minute), Build: broker.Build{Revision: "abc"}}
		for _, p := range []broker.Process{skewed, fast} {
			if _, err := b.(broker.Registry).Announce(brokertest.Context(t), p); err != nil {
				t.Fatal(err)
			}
		}
		dtask(t, url, "queue", "pause", "images").want(t, exitOK)
		brokertest.Eventually(t, func() string {
			var findings []operate.Finding
			r := dtask(t, url, "doctor", "-o", "json")
			if err := json.Unmarshal([]byte(r.out), &findings); err != nil {
				t.Fatalf("%v: %+v", err, r)
			}
			states := make(map[string]string)
			for _, f := range findings {
				states[f.Check] = f.State
			}
			for check, want := range map[string]string{"clocks": "problem", "builds": "warning", "paused": "warning", "consumers": "ok", "broker": states["broker"]} {
				if states[check] != want {
					return check + " is " + states[check] + ": " + r.out
				}
			}
			for _, clock := range []string{"the clock of late is up to 4m", "the clock of early is 4m"} {
				if !strings.Contains(r.out, clock) && !strings.Contains(r.out, strings.Replace(clock, "4m", "3m", 1)) {
					return clock + ": " + r.out
				}
			}
			if lists && states["versions"] != "warning" {
				return "versions is " + states["versions"]
			}
			return ""
		})
	})
}
