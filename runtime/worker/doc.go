// Package worker is the worker process: it turns the dispatch tables of an
// application into a program that runs their tasks.
//
//	func main() { worker.Main(mail.Tasks(mailer), images.Tasks()) }
//
// The program takes its settings from flags and from variables of the
// environment (-h lists both), stops in good order on SIGINT and SIGTERM,
// watches the clock for periodic tasks, can drain its queues and exit, can
// supervise several processes of itself, and reports to systemd and to health
// probes. docs/worker.md describes it for operators.
//
// A program that runs a [dtask.Worker] of its own takes [Schedule] from here, for
// its periodic tasks.
//
// The brokers of this module are linked in.
package worker
