package dtask

import (
	"time"
)

// Spec is the policy of a task, as its directive states it. dtaskgen writes the
// defaults out, so the generated file says all there is to know: a zero value
// means zero, not a default.
type Spec struct {
	// Queue is the queue the task is enqueued on, unless the call says
	// otherwise.
	Queue string

	// Retries is how many attempts may follow the first one.
	Retries int

	// Timeout bounds one attempt: its context ends after it. 0 means no bound.
	Timeout time.Duration

	// Backoff is the pause before the first retry. It doubles with every
	// further one up to an hour.
	Backoff time.Duration

	// Priority is the class within the queue.
	Priority PriorityLevel

	// Keep is how long the outcome is kept for [Handle.Wait]. 0 means it is
	// not kept.
	Keep time.Duration

	// Cron is the schedule of a periodic task in five fields, a macro such as
	// @daily, or empty.
	Cron string

	// SkipMissed leaves out the ticks of Cron that came while no worker ran.
	// Otherwise one late run makes up for all of them.
	SkipMissed bool

	// Module is the path of the module that defines the task, without a major
	// version at its end. It tells tasks of another build from those of another
	// service.
	Module string

	// Schema is the fingerprint of the argument type: a hash of the names and
	// types of its fields, recursively.
	Schema string

	// Was are names that the task had before. Messages that have one are run.
	Was []string

	// Earlier are the versions that the arguments had before. A message whose
	// fingerprint is neither Schema nor that of one of them is handed back.
	Earlier []Earlier
}
