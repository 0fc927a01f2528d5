package dashboard_test

import (
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dashboard"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// A person with a browser does the ten things of a bad night, each in at most five clicks,
// on every broker as far as it can.
func TestClicks(t *testing.T) {
	for name, url := range brokers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, url(t), dashboard.Config{Name: "production", Authorize: everything})
			w.serve(shop)
			w.serve(studio)
			lists := name != "RabbitMQ" // more than dead letters
			ana := w.send("ana@exmaple.com")
			w.send("bob@exmaple.com", dtask.Queue("attic"))
			w.thumbnail("beach.heic", dtask.In(0))
			w.send("bob@exmaple.com")
			cid := w.send("cid@exmaple.com")
			slow := w.charge("slow")
			w.state("mail", func(s broker.QueueState) bool { return s.Dead == 3 })
			w.announce(broker.Process{
				ID: "older", Host: "zulu", PID: 7, Started: time.Now().Add(-24 * time.Hour), State: broker.ProcessWorking,
				Build: broker.Build{Module: w.workers()[0].Build.Module, Version: "v1.41.3", Revision: "b71d0e4c"},
				Tasks: []broker.ProcessTask{{Name: "acme.org/shop/mail.Send", Schema: "0lder", Queue: "mail"}}, Queues: []broker.ProcessQueue{{Name: "mail", Concurrency: 3}},
			})
			b := w.browse()
			b.open("")

			b.click("#nav a", "Messages")
			if lists {
				b.click(".seg a", "waiting")
				b.sees("mail.Send", "waiting", "attic")
			} else {
				b.sees("The broker cannot list them all.")
				b.click("main button, main a", "Look at the first 100 of attic")
				b.sees("mail.Send", "waiting", "attic")
			}
			b.done("seeing what waits")

			b.enter("#selection", "state:dead args.to:ana@exmaple.com")
			b.click("#select button", "Find")
			b.sees("mail.Send", ana[len(ana)-12:], "550 5.1.1")
			b.done("finding the message of a user")

			b.click("tbody th a", "mail.Send")
			b.sees("mail.Send", "dead", "550 5.1.1 <ana@exmaple.com>", "Attempt 1: dead")
			b.done("seeing why it failed")

			b.enter(`[name="form-value:/to"]`, "ana@example.com")
			b.click("button", "Save and retry")
			w.state("mail", func(s broker.QueueState) bool { return s.Dead == 2 })
			b.done("mending and retrying it")

			b.open("")
			b.clicks++ // at the name of the page
			b.click("#nav a", "Dead letters")
			b.press("tbody .tick input", "")
			b.click("button", "Retry …")
			b.sees("Retry all that match", "2")
			b.click("button", "Retry 2")
			b.sees("Retried 2", "2 done")
			w.state("mail", func(s broker.QueueState) bool { return s.Dead == 2 && s.Ready <= 0 })
			b.done("retrying all of one fault")

			b.click("#nav a", "Workers")
			b.sees("Running the longest", "billing.Charge", slow[len(slow)-12:])
			b.click("button", "Cancel")
			b.sees("1 was told to end", "Nothing runs.") // live
			b.done("cancelling what runs")

			b.click("#nav a", "Queues")
			b.sees("attic", "no worker consumes it")
			b.done("seeing whether a queue has no consumer")
			b.press("summary", "Pause")
			b.click("button", "for 15 minutes")
			b.sees("is paused until")
			b.done("pausing a queue")

			b.click("#nav a", "Deploy")
			b.sees("v1.41.3", "mail.Send", "0lder", "cannot")
			b.click("#nav a", "Workers")
			b.sees("1 runs an older build", "zulu 7", "v1.41.3")
			b.done("seeing who runs an old build")
			b.click("tbody form button", "Quiet")
			b.sees("takes nothing more", "quiet")
			b.done("draining a worker")

			b.click("#nav a", "History")
			for _, did := range []string{"cancelled", "paused", "quiet", "retried", "edited"} {
				b.sees(did)
			}
			b.quiet()
			if name != "SQLite" { // where these say something else
				b.lookAt(views[3:], "queues", "messages", "deploy?all=1")
				return
			}
			b.lookAt(views, "", "queues", "messages", "message/"+cid, "dead", "workers", "schedules", "deploy?all=1", "catalogue", "task?name=acme.org%2Fshop%2Fmail.Send", "history")
		})
	}
}

// Somebody enqueues a task by the form of its types.
func TestClicksEnqueue(t *testing.T) {
	for name, url := range brokers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, url(t), dashboard.Config{Authorize: everything})
			w.serve(shop)
			b := w.browse()
			b.open("")
			b.click("#nav a", "Catalogue")
			b.click("tbody a", "mail.Send")
			b.click("button", "Add one")
			b.enter(`[name="form-value:/to"]`, "li@exmaple.com")
			b.enter(`[name="form-value:/user/id"]`, "9007199254740993")
			b.enter(`[name="form-value:/channels/0"]`, "weekly")
			b.click("button.main", "Enqueue")
			b.sees("mail.Send was enqueued as")
			b.done("enqueueing a task")
			b.click("#nav a", "Dead letters")
			b.sees("550 5.1.1") // live
			b.quiet()
		})
	}
}

// A broker that goes away is said on a page that is open, which shows what is new when it
// is back.
func TestClicksAway(t *testing.T) {
	t.Parallel()
	proxy, url := rabbittest.ProxyURL(t, brokers["RabbitMQ"](t))
	w := newWorld(t, url, dashboard.Config{Authorize: everything})
	w.send("ana@example.com")
	b := w.browse()
	b.open("queues")
	b.sees("mail", "1")
	b.shows("live")
	proxy.Refuse()
	proxy.Cut()
	b.shows("away")
	b.sees("mail", "1") // the old numbers stay
	b.shoot("away")
	proxy.Resume()
	b.shows("live")
	w.send("bob@example.com")
	b.sees("mail", "2")
	b.quiet()
}

// Nothing that others have written is run as a script.
func TestClicksScripts(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	w.serve(shop)
	for _, script := range scripts {
		w.send(script+"@exmaple.com", dtask.Header("x", script))
	}
	w.state("mail", func(s broker.QueueState) bool { return s.Dead == len(scripts) })
	b := w.browse()
	b.open("messages")
	b.must(b.Eval("window.alert = () => console.error('a script has run')", nil))
	b.sees("alert(1)")
	b.click("tbody th a", "mail.Send")
	b.sees("What happened")
	for _, page := range []string{"dead", "", "history"} {
		b.open(page)
	}
	b.quiet() // nor has the policy stopped any
}
