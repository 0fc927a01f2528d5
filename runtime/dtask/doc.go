// Package dtask runs ordinary functions as background tasks.
//
// A function is marked with a directive,
//
//	//dtask:task queue=mail retries=5 timeout=30s
//	func SendWelcome(ctx context.Context, to string, user User) error
//
// and dtaskgen writes, into the same package, the wrapper that enqueues it and
// the dispatch table that runs it:
//
//	handle, err := mail.DelaySendWelcome(ctx, mail.SendWelcomeArgs{To: to, User: u})
//
//	worker, err := dtask.NewWorker(client, dtask.WorkerConfig{}, mail.Tasks(mailer))
//	err = worker.Run(ctx)
//
// Once Delay returns nil, the message is durable: the task runs at least once,
// or is found among the dead letters of its queue.
//
// This package moves messages that generated code has typed already. A
// [Client] enqueues them, a [Broker] stores them (packages sqlite and rabbitmq
// below this one), and a [Worker] runs them. Package dtaskgen in cmd documents
// the directives.
package dtask

// SupportsGeneratedV1 is referred to by generated code. Code generated for a
// runtime that this one cannot serve refers to a constant that does not exist
// here, and so does not compile.
const SupportsGeneratedV1 = true
