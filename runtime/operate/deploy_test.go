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

// Of two builds of one service and one of another it is said which runs what waits, and
// what nobody takes: for want of a build, or of a consumer.
func TestDeploy(t *testing.T) {
	onBrokers(t, func(t *testing.T, b broker.Broker) {
		o, ctx := operate.New(b), brokertest.Context(t)
		registry, err := broker.As[broker.Registry](b)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		process := func(id, module, version string, age time.Duration, queue string, tasks ...broker.ProcessTask) broker.Process {
			return broker.Process{
				ID: id, Host: "host-" + id, Started: now.Add(-age).UTC().Round(time.Second), State: broker.ProcessWorking,
				Build: broker.Build{Module: module, Version: version}, Tasks: tasks, Queues: []broker.ProcessQueue{{Name: queue, Concurrency: 1}},
			}
		}
		send1 := broker.ProcessTask{Name: "shop/mail.Send", Schema: "s1", Queue: "letters"}
		send2 := broker.ProcessTask{Name: "shop/mail.Send", Schema: "s2", Queue: "letters", Was: []string{"shop/mail.Post"}, Earlier: []broker.ProcessVersion{
			{Schema: "s1", Fate: broker.FateConverted}, {Schema: "s0", Fate: broker.FateRefused, Reason: "to is a list"},
		}}
		quiet := process("d", "shop", "v2", 0, "letters", send2)
		quiet.State = broker.ProcessQuiet
		ps := []broker.Process{
			process("a", "shop", "v1", time.Hour, "letters", send1),
			process("b", "shop", "v2", time.Minute, "letters", send2),
			process("c", "studio", "v7", time.Hour*2, "elsewhere", broker.ProcessTask{Name: "studio/pictures.Scale", Schema: "p1", Queue: "pictures"}),
			quiet,
		}
		send := func(queue, task, schema string, n int) {
			for range n {
				m := brokertest.Message(queue)
				m.Task, m.Schema = task, schema
				brokertest.Enqueue(t, b, m)
			}
		}
		send("letters", "shop/mail.Send", "s0", 2)
		send("letters", "shop/mail.Send", "s1", 3)
		send("letters", "shop/mail.Post", "", 1)
		send("pictures", "studio/pictures.Scale", "p1", 1)

		want := []string{
			"shop/mail.Send s0 2: 0 of [handed back unknown ]",
			"studio/pictures.Scale p1 1: 0 of [  runs]", // nobody consumes its queue
			"shop/mail.Send s1 3: 2 of [runs, converted runs ]",
			"shop/mail.Post  1: 1 of [runs  ]",
			"shop/mail.Send s2 0: 1 of [runs unknown ]",
		}
		_, census := b.(broker.Censor) // and cannot count
		if census {                    // how many wait is not known, nor is the order by that
			want = []string{
				"shop/mail.Post  -1: 1 of [runs  ]",
				"shop/mail.Send s0 -1: 0 of [handed back unknown ]",
				"shop/mail.Send s1 -1: 2 of [runs, converted runs ]",
				"shop/mail.Send s2 0: 1 of [runs unknown ]",
				"studio/pictures.Scale p1 -1: 0 of [  runs]",
			}
		}
		var d operate.Deploy
		brokertest.Eventually(t, func() string {
			for _, p := range ps {
				if _, err := registry.Announce(ctx, p); err != nil {
					t.Fatal(err)
				}
			}
			if d, err = o.Deploy(ctx); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range d.Rows {
				if r.Task == "pkg.Task" { // the dead letters of all these tests
					if r.Dead != 4 {
						return fmt.Sprintf("%+v", r)
					}
					continue
				}
				var fates []broker.Fate
				for _, v := range r.Verdicts {
					fates = append(fates, v.Fate)
				}
				got = append(got, fmt.Sprintf("%s %s %d: %d of %v", r.Task, r.Schema, r.Waiting, r.Takers, fates))
			}
			if census {
				slices.Sort(got)
			}
			if !slices.Equal(got, want) {
				return fmt.Sprintf("%q\nwant\n%q", got, want)
			}
			return ""
		})
		if len(d.Builds) != 3 || d.Builds[0].Version != "v2" || d.Builds[0].Processes != 2 || d.Builds[0].Quiet != 1 || d.Builds[2].Module != "studio" {
			t.Errorf("builds %+v", d.Builds)
		}
		for _, r := range d.Rows {
			if r.Schema == "s0" && r.Verdicts[0].Reason != "to is a list" {
				t.Errorf("verdicts %+v", r.Verdicts)
			}
			if nobody := r.Schema == "s0" || r.Schema == "p1"; r.Task != "pkg.Task" && r.Nobody() != nobody {
				t.Errorf("%+v: nobody is %v", r, !nobody)
			}
		}
	})
}
