package dtask

import (
	"log/slog"
	"time"
)

// WorkerConfig says how a worker runs. The zero value means the defaults.
type WorkerConfig struct {
	// Queues are the queues to consume, each with how many tasks of it run at
	// once; 0 means Concurrency. Nil means all queues of the tables.
	Queues map[string]int

	// Concurrency is how many tasks of a queue run at once. 0 means 10.
	Concurrency int

	// Grace is how long running tasks may take to finish after the worker was
	// told to stop, before their contexts are cancelled. 0 means 30 seconds, a
	// negative value means none.
	Grace time.Duration

	// KeepUnknown is how long messages that no worker knows are handed back,
	// counted from the first time, before they are moved to the dead letters.
	// It is the time a rolling deploy may take. 0 means 1 hour.
	KeepUnknown time.Duration

	// Middleware wraps the handling of every message, inside of the logging.
	Middleware []Middleware

	// Scheduled says that the periodic tasks of the tables are enqueued at
	// their times: by package worker, here or in another process, or by
	// worker.Schedule. Without it Run warns if there are any, for a Worker
	// only executes them.
	Scheduled bool

	// Logger is the log of the worker. Nil means the logger of the client.
	Logger *slog.Logger
}
