package dtask

import (
	"time"
)

// Spec is the policy of a task: what its directive says. dtaskgen writes out the
// defaults of the directive. So in a Spec 0 means 0, and not a default.
type Spec struct {
	// Queue is the queue the task is enqueued on, unless the call says
	// otherwise.
	Queue string

	// Retries is how many attempts may follow the first one.
	Retries int

	// Timeout is how long one attempt may take: then its context ends. 0 means no
	// limit.
	Timeout time.Duration

	// Backoff is the pause before the first retry. The pause doubles with every
	// retry, up to an hour.
	Backoff time.Duration

	// Priority is the class within the queue.
	Priority PriorityLevel

	// Keep is how long the outcome is kept for [Handle.Wait]. 0 means that it is
	// not kept.
	Keep time.Duration

	// Cron is the schedule of a periodic task: five fields, or a name such as
	// @daily. It is empty for other tasks.
	Cron string

	// SkipMissed leaves out the times of Cron at which no worker ran. Without it
	// one late run makes up for all of them.
	SkipMissed bool

	// Module is the path of the module that has the task, without a major version
	// at its end. A worker that does not know a task sees from it whether the task
	// is of another build of the same service, or of another service.
	Module string

	// Schema is the fingerprint of the arguments: a hash of the names and types of
	// all fields.
	Schema string

	// Fields are the fields of the arguments and their types, one in a line as
	// dtask.lock has them: what operators' commands know of the arguments. It says
	// which of them are secret. It is empty if the task has no arguments, and for
	// tasks that dtaskgen has not written.
	Fields []string

	// Result is the fingerprint of the result, or empty if there is none.
	Result string

	// Was are names that the task had before. Messages that have one are run.
	Was []string

	// Earlier are the versions that the arguments had before. A message whose
	// fingerprint is neither Schema nor that of one of them is handed back.
	Earlier []Earlier

	// EarlierResults are the versions that the result had before. [Handle.Wait]
	// returns an error for a result that is of none of them.
	EarlierResults []Earlier

	// Doc is the documentation of the function, for operators.
	Doc string
}
