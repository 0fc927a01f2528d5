package brokertest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Processes are known to every process of the namespace, with what they said last,
// while they renew it.
func testRegistry(t *testing.T, store Store) {
	url := store(t)
	b, operator, stranger := open(t, url), open(t, url), open(t, store(t))
	process := func(id string, done int64) broker.Process {
		return broker.Process{
			ID: id, Host: "host", PID: 7, Started: time.Now().UTC().Round(time.Second),
			Build: broker.Build{Module: "example.com/shop", Version: "v1.2.3", Revision: "abcdef"},
			Tasks: []broker.ProcessTask{
				{Name: "mail.Send", Schema: "5ca1ab1e", Queue: "mail", Retries: 5, Secrets: []string{"token string, secret"}, Was: []string{"mail.Post"}, Earlier: []broker.ProcessVersion{{Schema: "0", Fate: broker.FateConverted}, {Schema: "1", Fate: broker.FateRefused, Reason: "to is no number"}}},
				{Name: "mail.Wipe", Schema: "5ca1ab1f", Queue: "mail", Secrets: []string{}},
				{Name: "mail.Zap", Schema: "5ca1ab1e"},
			},
			Queues:  []broker.ProcessQueue{{Name: "mail", Concurrency: 3}},
			Running: []broker.ProcessRunning{{ID: "1", Task: "mail.Send", Queue: "mail", Attempt: 2, Since: time.Now().UTC().Round(time.Second)}}, RunningTotal: 1,
			Done: done,
		}
	}
	announce := func(p broker.Process) time.Duration {
		t.Helper()
		again, err := as[broker.Registry](t, b).Announce(Context(t), p)
		if err != nil || again < time.Second || again > 5*time.Second {
			t.Fatalf("announce: again after %v, %v", again, err)
		}
		return again
	}
	known := func(b broker.Broker, want ...broker.Process) string {
		t.Helper()
		got, err := as[broker.Registry](t, b).Processes(Context(t))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
			return fmt.Sprintf("processes %+v, want %+v", got, want)
		}
		return ""
	}
	first, second := process("a", 1), process("b", 5)
	announce(first)
	announce(second)
	first.Done = 2
	announce(first)
	for _, b := range []broker.Broker{operator, b} {
		Eventually(t, func() string {
			announce(first) // on a slow machine it may be forgotten meanwhile
			announce(second)
			return known(b, first, second)
		})
	}
	if complaint := known(stranger); complaint != "" {
		t.Error(complaint)
	}
	if err := as[broker.Registry](t, b).Withdraw(Context(t), "b"); err != nil {
		t.Fatal(err)
	}
	Eventually(t, func() string { announce(first); return known(operator, first) })
	if err := as[broker.Registry](t, b).Withdraw(Context(t), "nobody"); err != nil {
		t.Fatal(err)
	}

	// One that renews its entry stays for longer than one that does not, though
	// somebody looks all the time.
	second.ID = "c"
	announce(second)
	killed := time.Now()
	for forgotten := false; !forgotten; {
		if time.Since(killed) > Patience {
			t.Fatal("a process that was killed is known for ever")
		}
		again := announce(first)
		renewed := time.Now()
		for !forgotten && time.Since(renewed) < again {
			got, err := as[broker.Registry](t, operator).Processes(Context(t))
			if err != nil {
				t.Fatal(err)
			}
			age := time.Since(killed)
			if time.Since(renewed) < 2*again && (len(got) == 0 || got[0].ID != "a") {
				t.Fatalf("processes %+v, want the one that is renewed", got)
			}
			if forgotten = len(got) == 1; forgotten && age < 2*again {
				t.Fatalf("a process is forgotten after %v, renewed every %v", age, again)
			}
			time.Sleep(again / 8)
		}
	}
}
