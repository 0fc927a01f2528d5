// Package chaos proves, as tests, that no task is lost under fire: real
// processes enqueue and execute while they are killed, stopped and cut off,
// and while their broker is crashed, stalled and starved. Then every task is
// accounted for.
//
// The account is that of Jepsen's queue checker, which the RabbitMQ team uses
// for quorum queues (https://github.com/rabbitmq/jepsen): producers note every
// task they attempt to enqueue and what became of it, workers every task they
// execute, in files that survive the processes; at the end the sets are
// compared.
//
//	make chaos                        the long form, a quarter of an hour
//	go test ./internal/chaos          the short form, as in: make test
//
// docs/reliability.md says what each test does, and holds the lines of a long
// run.
package chaos
