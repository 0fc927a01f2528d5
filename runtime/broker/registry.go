package broker

import (
	"cmp"
	"context"
	"time"
)

// A Registry is the capability to know the processes that run tasks. Entries are
// renewed every few seconds, and one that is not is gone within 15.
type Registry interface {
	// Announce enters a process, or renews its entry with what it does now. The
	// process is to call it again after the time that is returned.
	Announce(ctx context.Context, p Process) (again time.Duration, err error)

	// Withdraw removes the entry of a process that ends. There need not be one.
	Withdraw(ctx context.Context, id string) error

	// Processes returns the entries, sorted by host, process id and start. It tells
	// of the last seconds: a process that has just begun, or is cut off from the
	// broker, is not among them.
	Processes(ctx context.Context) ([]Process, error)
}

// A Process runs tasks.
type Process struct {
	ID      string    `json:"id"` // its own, at every start a new one
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Started time.Time `json:"started"` // by its own clock
	Build   Build     `json:"build"`

	Tasks  []ProcessTask  `json:"tasks"`  // sorted by name
	Queues []ProcessQueue `json:"queues"` // sorted by name

	// Running are the messages in its hands that have waited longest for their end,
	// at most [MaxProcessRunning], and RunningTotal is how many there are.
	Running      []ProcessRunning `json:"running"`
	RunningTotal int              `json:"running_total"`

	// What became of messages since its start.
	Done       int64 `json:"done"`
	Retried    int64 `json:"retried"`
	Dead       int64 `json:"dead"`
	Snoozed    int64 `json:"snoozed"`
	HandedBack int64 `json:"handed_back"`
}

// Compare orders processes by host, process id and start.
func (p Process) Compare(q Process) int {
	return cmp.Or(cmp.Compare(p.Host, q.Host), cmp.Compare(p.PID, q.PID), p.Started.Compare(q.Started), cmp.Compare(p.ID, q.ID))
}

// MaxProcessRunning is how many running messages an entry names.
const MaxProcessRunning = 100

// A Build says which program a process runs. What is not known is empty.
type Build struct {
	Module   string `json:"module"`
	Version  string `json:"version"`
	Revision string `json:"revision"` // of the version control
	Modified bool   `json:"modified"` // there were changes beside the revision
	Go       string `json:"go"`
	Runtime  string `json:"runtime"` // the version of dtask
}

// A ProcessTask is a task that a process can run.
type ProcessTask struct {
	Name   string `json:"name"`
	Schema string `json:"schema"` // the fingerprint of its arguments
}

// A ProcessQueue is a queue that a process consumes.
type ProcessQueue struct {
	Name        string `json:"name"`
	Concurrency int    `json:"concurrency"`
}

// A ProcessRunning is a message in the hands of a process.
type ProcessRunning struct {
	ID      string    `json:"id"`
	Task    string    `json:"task"`
	Queue   string    `json:"queue"`
	Attempt int       `json:"attempt"`
	Since   time.Time `json:"since"` // by the clock of the process
}
