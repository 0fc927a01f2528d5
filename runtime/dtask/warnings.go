package dtask

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// warnOfPeriodic says what would keep periodic tasks from ever running.
func (w *Worker) warnOfPeriodic() {
	var periodic []string
	for name, h := range w.tasks {
		if h.Spec.Cron != "" && h.Name == name {
			periodic = append(periodic, w.short[name])
		}
	}
	if len(periodic) > 0 && !w.config.Scheduled {
		slices.Sort(periodic)
		w.log.Warn("periodic tasks are enqueued by package worker or worker.Schedule; this worker only executes them; set WorkerConfig.Scheduled if one of the two runs",
			"tasks", strings.Join(periodic, ", "))
	}
}

// warnOfQueues says which queues may be misspelt. They need not be: messages may
// be sent to any queue, and other builds have other tasks.
func (w *Worker) warnOfQueues() {
	used := make(map[string]bool)
	for _, h := range w.tasks {
		used[h.Spec.Queue] = true
	}
	known := cmp.Or(strings.Join(slices.Sorted(maps.Keys(used)), ", "), "none")
	for _, q := range slices.Sorted(maps.Keys(w.queues)) {
		if !used[q] {
			w.log.Warn(fmt.Sprintf("no task of this program is on queue %q; its queues are %s", q, known))
		}
	}
}
