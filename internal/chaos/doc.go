// Package chaos tests that faults lose no task. Real processes enqueue and
// execute while they are killed, suspended and cut off, and while their broker is
// crashed, stalled, and short of memory and disk. At the end every task is
// accounted for.
//
// The account is that of Jepsen's queue checker, which the RabbitMQ team uses
// for quorum queues (https://github.com/rabbitmq/jepsen): producers note every
// task that they attempt to enqueue, and what became of it; workers note every
// task that they execute. They write to files that survive the processes. At the
// end the sets are compared.
//
//	make chaos                        the long form, about an hour
//	go test ./internal/chaos          the short form, as in: make test
//
// docs/reliability.md says what each test does, and holds the lines of a long
// run.
package chaos
