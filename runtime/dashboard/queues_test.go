package dashboard_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// The overview and the queues say what real workers do, of two services.
func TestOverviewAndQueues(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	if page := w.get(200, ""); !strings.Contains(seen(page), "Nothing here yet") {
		t.Errorf("an empty broker: %s", seen(page))
	}
	w.want("queues", "There is no queue yet.")
	w.serve(shop)
	w.serve(studio)
	w.want("", "All is well.", "Done, last hour 0", "Dead letters 0", "Nothing failed.")
	for range 5 {
		w.send("ana@example.com")
		w.charge("paid")
	}
	w.send("ana@exmaple.com")
	w.send("li@exmaple.com")
	w.thumbnail("beach.heic") // is retried in an hour
	w.thumbnail("later.png", dtask.In(time.Hour))
	page := w.want("", "One thing needs you.", "mail.Send: 2 dead letters in the last hour", "550 5.1.1",
		"Done, last hour 10", "Failed, last hour 3", "Waiting now 0", "Dead letters 2 2 in the last hour",
		"mail.Send 5", "billing.Charge 5 0 %", "error 2", "mail.Send", "panic 1", "index out of range [480]", "pictures.Thumbnail")
	if !strings.Contains(page, `aria-label="Attempts a minute in the last hour`) {
		t.Error("no chart in words")
	}
	w.want("queues", "Nothing waits.", "billing 1 worker 0", "mail 1 worker 0")
	w.says(w.get(200, "queues"), "images 1 worker 0", "of 10", "2 0") // delayed, dead

	w.says(w.post(200, "queues/pause", "queue", "images", "for", "15m"), "images is paused until", "What runs goes on.", "ana,",
		"images paused until", ", 14 min left")
	w.thumbnail("waits.png")
	w.want("queues", "1 waits in 3 queues.", "None of them is behind.", "images", "paused until")
	w.says(w.post(200, "queues/resume", "queue", "images"), "images goes on.")
	w.state("images", func(s broker.QueueState) bool { return s.Ready == 0 && s.Running == 0 })
	acts, err := w.operator().Acts(w.ctx(), time.Now().Add(-time.Hour))
	if err != nil || len(acts) != 2 || acts[0].User != "ana" || acts[0].Did != "paused" || acts[1].Did != "resumed" || acts[0].Host != "127.0.0.1" {
		t.Errorf("kept: %+v, %v", acts, err)
	}
	w.says(w.post(200, "queues/pause", "queue", "no queue", "for", "1h"), "queue name")
	w.says(w.post(200, "queues/pause", "queue", "mail", "for", "soon"), "is no time; write it as")
}

// What waits where no worker is needs somebody.
func TestAlone(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	w.send("ana@example.com")
	w.want("", "One thing needs you.", "No worker is here")
	w.serve(shop, "-queues", "billing")
	w.want("", "1 message in mail that no worker consumes", "Start a worker with -queues mail; its oldest message has waited for")
	w.want("queues", "No worker consumes mail.", "mail", "no worker consumes it")
}
