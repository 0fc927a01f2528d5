// Package dtask runs ordinary functions as background tasks.
//
// A function is marked with a directive,
//
//	//dtask:task queue=mail retries=5 timeout=30s
//	func SendWelcome(ctx context.Context, to string, user User) error
//
// and command dtaskgen writes two things into the same package: a function that
// enqueues the task, and a table for the worker that runs it:
//
//	handle, err := mail.DelaySendWelcome(ctx, mail.SendWelcomeArgs{To: to, User: u})
//
//	worker, err := dtask.NewWorker(client, dtask.WorkerConfig{}, mail.Tasks(mailer))
//	err = worker.Run(ctx)
//
// When Delay returns nil, the message is on disk. The task runs at least once, or
// its message is among the dead letters of its queue.
//
// A [Client] enqueues messages, a broker stores them (packages sqlite, postgres
// and rabbitmq), and a [Worker] runs their tasks. Generated code calls this package
// with the right types. docs/tasks.md describes the directives.
//
// Where to find what in the source:
//
//	task.go, spec.go, table.go       a task, its policy, the dispatch table
//	names.go                         short names; tasks that this build does not have
//	client.go                        clients, the default one, the one of a context
//	delay.go, options.go             Delay and DelayMany, and what a call may set
//	enqueue.go, enqueue_through.go   the one way to make and to enqueue a message; middleware around it
//	enqueue_limit.go                 how long an enqueue may take
//	tick.go                          the message of a periodic task
//	id.go, codec.go                  ids; arguments and results as JSON
//	earlier.go                       messages of earlier versions
//	survive.go, comesback.go         values that would not come back from JSON
//	exact.go, exactfields.go,
//	fields.go                        whether a body of another build fits exactly
//	result.go, keptresult.go         Handle and Wait; results as brokers keep them
//	worker.go, workerconfig.go       a worker and its settings
//	run.go, lane.go, slot.go         consuming, concurrency, quiet, stopping
//	execute.go, context.go,
//	lazycontext.go                   one attempt; its context and timeout
//	cancel.go                        tasks that are cancelled
//	stuck.go                         tasks that ignore the end of their contexts
//	outcome.go, decide.go, steer.go  what follows from an attempt
//	backoff.go                       the pause before a retry
//	failure.go                       the history of failures in a message
//	middleware.go, log.go, stats.go,
//	once.go                          what sees, logs and counts outcomes
//	warnings.go                      what a worker warns of when it starts
//	errors.go, batcherror.go         the errors of Delay and Wait
//	broker.go, inside.go             names of package broker; access for package dtasktest
package dtask

// SupportsGeneratedV1 is for generated code, which mentions it. If this package is
// too old or too new for the generated code, the constant that the code mentions is
// missing, and the program does not compile.
const SupportsGeneratedV1 = true
