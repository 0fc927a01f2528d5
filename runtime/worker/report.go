package worker

import (
	"maps"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// A report is the state of a process, for probes, for systemd, and for the
// supervisor.
type report struct {
	// Live: the process can do its work, or waits for what it needs. One that
	// is not live is to be restarted.
	Live bool `json:"live"`

	// Ready: the broker answers and all queues are consumed.
	Ready bool `json:"ready"`

	// Problem says why the process is not live or not ready.
	Problem string `json:"problem,omitempty"`

	// Memory is what the process uses, in bytes.
	Memory int64 `json:"memory_bytes"`

	// Stats and Tasks count what became of messages.
	Stats dtask.WorkerStats     `json:"stats"`
	Tasks map[string]taskCounts `json:"tasks"`

	// Orphaned are the messages by queue that nobody takes, at the last look.
	Orphaned map[string]int `json:"orphaned,omitempty"`

	// Extensions are the reports of extensions, from a child to its supervisor.
	Extensions map[string][]byte `json:"extensions,omitempty"`
}

// plus adds the counts and the memory of s to those of r, and what s has found that
// nobody takes.
func (r report) plus(s report) report {
	r.Memory += s.Memory
	r.Stats.Done += s.Stats.Done
	r.Stats.Retried += s.Stats.Retried
	r.Stats.Dead += s.Stats.Dead
	r.Stats.Snoozed += s.Stats.Snoozed
	r.Stats.HandedBack += s.Stats.HandedBack
	r.Stats.Cancelled += s.Stats.Cancelled
	r.Stats.GivenUp += s.Stats.GivenUp
	r.Stats.NotRecorded += s.Stats.NotRecorded
	r.Stats.Running += s.Stats.Running
	tasks := maps.Clone(r.Tasks)
	if tasks == nil {
		tasks = make(map[string]taskCounts)
	}
	for name, c := range s.Tasks {
		tasks[name] = tasks[name].plus(c)
	}
	r.Tasks = tasks
	r.Orphaned = orphanedByAny(r.Orphaned, s.Orphaned)
	return r
}

// orphanedByAny returns the findings of two processes, which have looked at the
// same queues at different times.
func orphanedByAny(a, b map[string]int) map[string]int {
	if len(a) == 0 {
		return b
	}
	both := maps.Clone(a)
	for queue, n := range b {
		both[queue] = max(both[queue], n)
	}
	return both
}

// settled returns how many messages a worker has settled.
func settled(s dtask.WorkerStats) int64 {
	return s.Done + s.Retried + s.Dead + s.Snoozed + s.HandedBack + s.Cancelled + s.NotRecorded
}
