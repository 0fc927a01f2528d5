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
	Now     time.Time `json:"now"`     // of the entry, by its own clock
	Build   Build     `json:"build"`

	State ProcessState `json:"state"`

	Tasks     []ProcessTask     `json:"tasks"`     // sorted by name
	Queues    []ProcessQueue    `json:"queues"`    // sorted by name
	Schedules []ProcessSchedule `json:"schedules"` // for which it watches the clock, sorted by name

	// Running are the messages in its hands that have waited longest for their end,
	// at most [MaxProcessRunning], and RunningTotal is how many there are.
	Running      []ProcessRunning `json:"running"`
	RunningTotal int              `json:"running_total"`

	// What became of messages since its start.
	Done       int64 `json:"done"`
	Retried    int64 `json:"retried"`
	Dead       int64 `json:"dead"`
	Snoozed    int64 `json:"snoozed"`
	Cancelled  int64 `json:"cancelled"`
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
	Program  string `json:"program"`  // a fingerprint of the file, if the revision does not tell builds apart
	Go       string `json:"go"`
	Runtime  string `json:"runtime"` // the version of dtask
}

// A ProcessTask is a task that a process can run.
type ProcessTask struct {
	Name   string `json:"name"`
	Schema string `json:"schema"` // the fingerprint of its arguments

	// What is the default of its messages.
	Queue   string `json:"queue"`
	Retries int    `json:"retries"`

	// Secrets are the fields of its arguments that lead to secret ones, a line each as
	// in dtask.lock. It is empty if nothing is secret, and nil if that is not known.
	Secrets []string `json:"secrets"`

	// Was are the names that the task had before, and Earlier the versions that its
	// arguments had. A message of no version that is named here it does not run.
	Was     []string         `json:"was,omitempty"`
	Earlier []ProcessVersion `json:"earlier,omitempty"`
}

// A ProcessVersion is an earlier version of a task's arguments, and what a process does
// with messages that have it.
type ProcessVersion struct {
	Schema string `json:"schema"`
	Fate   Fate   `json:"fate"`
	Reason string `json:"reason,omitempty"` // why they are not run, cut
}

// MaxFateReason is how many bytes of a reason an entry has.
const MaxFateReason = 200

// A Fate says what a process does with messages of a task and a version of its arguments.
type Fate string

// The fates.
const (
	FateRuns      Fate = "runs"
	FateConverted Fate = "runs, converted"
	FateRefused   Fate = "handed back"
	FateUnknown   Fate = "unknown" // handed back, too: it does not know the version, or the task
)

// A ProcessQueue is a queue that a process consumes.
type ProcessQueue struct {
	Name        string `json:"name"`
	Concurrency int    `json:"concurrency"` // as it is now
}

// A ProcessState says what an operator has told a process to do.
type ProcessState string

// The states of processes.
const (
	ProcessWorking  ProcessState = "working"
	ProcessQuiet    ProcessState = "quiet"    // it fetches no more, and stays
	ProcessStopping ProcessState = "stopping" // it fetches no more, and ends
)

// A ProcessSchedule is a periodic task for which a process watches the clock, with what
// is needed to enqueue it.
type ProcessSchedule struct {
	Name     string        `json:"name"` // of the task
	Cron     string        `json:"cron"`
	Tick     time.Time     `json:"tick,omitzero"` // the newest one that the process knows of
	Queue    string        `json:"queue"`
	Schema   string        `json:"schema"`
	Priority Priority      `json:"priority"`
	Retries  int           `json:"retries"`
	Keep     time.Duration `json:"keep"`
}

// A ProcessRunning is a message in the hands of a process.
type ProcessRunning struct {
	ID      string    `json:"id"`
	Task    string    `json:"task"`
	Queue   string    `json:"queue"`
	Attempt int       `json:"attempt"`
	Since   time.Time `json:"since"` // by the clock of the process
}
