package dashboard_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Workers are shown, made quiet, resumed and stopped, and what they run is cancelled.
func TestWorkers(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	w.says(w.get(200, "workers"), "No worker is here.")
	w.serve(shop, "-queues", "billing=2")
	w.serve(studio)
	slow := w.charge("slow")
	page := w.want("workers", "2 workers, 1 of 12 slots busy.", "All of them take messages.", "running", "billing", "1 of 2", "images", "0 of 10",
		"Running the longest", "billing.Charge", "…"+slow[len(slow)-12:], "of 1 min")
	id := func(page, queue string) string {
		for _, row := range strings.Split(page, "<tr") {
			if m := regexp.MustCompile(`id="w-([^"]+)"`).FindStringSubmatch(row); m != nil && strings.Contains(row, `data-l="Queues">`+queue) {
				return m[1]
			}
		}
		t.Fatalf("no worker of %s", queue)
		return ""
	}
	images := id(page, "images")
	w.says(w.post(200, "workers/quiet", "worker", images), "takes nothing more.", "1 takes nothing more.", "safe to stop", "quiet")
	w.thumbnail("waits.png")
	w.state("images", func(s broker.QueueState) bool { return s.Ready == 1 })
	w.says(w.post(200, "workers/resume", "worker", images), "goes on.", "All of them take messages.")
	w.state("images", func(s broker.QueueState) bool { return s.Ready+s.Running == 0 })
	w.says(w.post(200, "workers/cancel", "id", slow), "1 was told to end")
	w.want("workers", "0 of 12 slots busy.", "Nothing runs.")
	w.says(w.post(200, "workers/stop", "worker", images), "finishes what it has, and ends.")
	w.want("workers", "1 worker, 0 of 2 slots busy.")
	w.says(w.post(200, "workers/stop", "worker", images), "no such worker")
}

// Schedules are shown in words and in their zone, run now, paused and resumed.
func TestSchedules(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	w.says(w.get(200, "schedules"), "No worker has a schedule.")
	w.serve(shop)
	w.want("schedules", "1 schedule, next tick in", "mail.Weekly", "every Monday at 07:00, Berlin 0 7 * * 1", "Mon ", ", 07:00 in", "then", "none yet")
	w.says(w.post(200, "schedules/run", "schedule", "acme.org/shop/mail.Weekly"), "mail.Weekly was enqueued as …")
	w.want("", "mail.Weekly 1 0 %")
	w.says(w.post(200, "schedules/pause", "schedule", "acme.org/shop/mail.Weekly", "for", "24h"), "mail.Weekly is paused until", "One is paused.", "paused until", "left", "none while paused")
	w.says(w.post(200, "schedules/resume", "schedule", "acme.org/shop/mail.Weekly"), "mail.Weekly goes on.", "next tick in")
	w.says(w.post(200, "schedules/run", "schedule", "mail.Wekly"), "did you mean mail.Weekly?")
	acts, err := w.operator().Acts(w.ctx(), time.Now().Add(-time.Hour))
	if err != nil || len(acts) != 3 {
		t.Errorf("kept: %+v, %v", acts, err)
	}
}
