package dashboard_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// announce enters a process that is not there into the registry, until the test ends.
func (w *world) announce(p broker.Process) {
	w.t.Helper()
	registry, err := broker.As[broker.Registry](w.client.Broker())
	if err != nil {
		w.t.Fatal(err)
	}
	again, err := registry.Announce(w.ctx(), p)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var announcing sync.WaitGroup
	announcing.Go(func() {
		for ctx.Err() == nil {
			select {
			case <-time.After(again):
				registry.Announce(ctx, p) // what fails is tried again
			case <-ctx.Done():
			}
		}
	})
	w.t.Cleanup(func() { stop(); announcing.Wait() })
}

// put enqueues a message as another program would.
func (w *world) put(queue, task, schema string) {
	w.t.Helper()
	m := brokertest.Message(queue)
	m.Task, m.Schema = task, schema
	brokertest.Enqueue(w.t, w.client.Broker(), m)
}

// Of two builds it is said which runs what, and what nobody takes.
func TestDeploy(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	w.want("deploy", "No worker is here.", "Nothing waits.", "No worker, and nothing that waits.")
	started := time.Now().Add(-time.Hour)
	build := func(id, version string, at time.Time, tasks ...broker.ProcessTask) {
		w.announce(broker.Process{
			ID: id, Host: "host-" + id, PID: 7, Started: at, State: broker.ProcessWorking, Tasks: tasks,
			Build: broker.Build{Module: "acme.org/shop", Version: version, Revision: "3f9c2ab000"}, Queues: []broker.ProcessQueue{{Name: "post", Concurrency: 3}},
		})
	}
	letter := broker.ProcessTask{Name: "acme.org/shop/post.Letter", Schema: "aaaa", Queue: "post"}
	newer := letter
	newer.Schema, newer.Earlier = "bbbb", []broker.ProcessVersion{{Schema: "aaaa", Fate: broker.FateConverted}, {Schema: "0000", Fate: broker.FateRefused, Reason: "the field stamp is gone"}}
	for _, schema := range []string{"aaaa", "aaaa", "bbbb", "0000"} {
		w.put("post", letter.Name, schema)
	}
	announce := func() {
		build("old", "v1.41.3", started, letter)
		build("new", "v1.42.0", started.Add(time.Minute), newer, broker.ProcessTask{Name: "acme.org/shop/post.Stamp", Schema: "cccc", Queue: "post"})
	}
	announce()
	w.post(200, "queues/pause", "queue", "elsewhere", "for", "1h") // pages ask anew
	page := w.want("deploy", "2 builds of workers.", "1 message can be run by nobody, of 1 kind.", "1 × post.Letter 0000 No living build runs this version: the field stamp is gone.",
		"What differs 3", "All 4", "v1.42.0 1 worker", "v1.41.3 1 worker", "post.Letter 0000", "nobody", "cannot", "cannot",
		"post.Letter aaaa 2", "2 converts runs", "post.Letter bbbb 1", "1 runs cannot", "1 other task",
		"If the older workers stop now 1 run as before 2 are converted", "1 have nobody", "Quiet 1 worker of older builds", "v1.42.0 3f9c2ab 1")
	if !strings.Contains(page, `<span class="act">1 stuck</span>`) {
		announce()
		if page = w.get(200, "deploy"); !strings.Contains(page, `<span class="act">1 stuck</span>`) {
			t.Error("the list of pages does not say that a message is stuck")
		}
	}
	w.says(w.get(200, "deploy?all=1"), "post.Stamp cccc", "runs –")
}

// Who did what is shown, the newest first, and what failed is said.
func TestHistory(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	w.want("history", "0 acts in 7 days.", "Nobody has changed anything.")
	w.serve(shop)
	w.send("ana@exmaple.com")
	w.state("mail", func(s broker.QueueState) bool { return s.Dead == 1 })
	w.post(200, "queues/pause", "queue", "images", "for", "1h")
	w.post(200, "workers/stop", "worker", "nobody") // finds none, and is no act
	w.post(200, "queues/resume", "queue", "images")
	page := w.want("history", "2 acts in 7 days.", "None of them failed.", "resumed queue:images ana 127.0.0.1 done", "paused queue:images ana")
	if !strings.Contains(page, `messages?q=queue%3aimages`) && !strings.Contains(page, `messages?q=queue%3Aimages`) {
		t.Error("no link to the messages of the queue")
	}
	w.says(w.get(200, "history?span=Day"), "2 acts in a day.")
	w.says(w.get(200, "history?span=All"), "2 acts in 90 days.")
}
