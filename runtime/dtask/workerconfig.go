package dtask

import (
	"log/slog"
	"time"
)

// WorkerConfig says how a worker runs. The zero value means the defaults.
type WorkerConfig struct {
	// Queues are the queues to consume. The value is how many tasks of the queue
	// run at once; 0 means Concurrency. Nil means all queues of the tables.
	Queues map[string]int

	// Concurrency is how many tasks of a queue run at once. 0 means 10.
	Concurrency int

	// Grace is how long running tasks may go on after the worker was told to stop.
	// Then their contexts are cancelled. 0 means 30 seconds, a negative value means
	// no time.
	Grace time.Duration

	// KeepUnknown is how long a message waits for a worker that knows its task.
	// Until then workers hand it back. Afterwards it goes to the dead letters.
	// Choose the longest time that a rolling deploy may take. 0 means 1 hour.
	KeepUnknown time.Duration

	// Middleware wraps the handling of every message. The worker logs the outcome
	// that the middleware returns.
	Middleware []Middleware

	// Scheduled says that somebody enqueues the periodic tasks at their times:
	// package worker, here or in another process, or worker.Schedule. A Worker only
	// runs them. So without Scheduled Run warns if the tables have periodic tasks.
	Scheduled bool

	// KeepLogs keeps what attempts log by [Logger] or [LogHandler] with their messages, if
	// they fail: at level info and above, the newest 64 KiB of a message, without the
	// values of secret arguments. Dead letters are as much larger.
	KeepLogs bool

	// Logger is the log of the worker. Nil means the logger of the client.
	Logger *slog.Logger
}
