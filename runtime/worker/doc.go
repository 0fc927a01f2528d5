// Package worker is the worker process. It makes a program of the tables of an
// application: the program runs their tasks.
//
//	func main() { worker.Main(mail.Tasks(mailer), images.Tasks()) }
//
// The program takes its settings from flags and from environment variables; -h
// lists them. It stops on SIGINT and SIGTERM when its tasks are finished. It
// enqueues periodic tasks at their times. It can drain its queues and exit, run
// several processes, and answer systemd and health probes. docs/worker.md describes
// it for operators.
//
// If your program runs a [dtask.Worker] itself, call [Schedule] for its periodic
// tasks.
//
// The package imports no broker. Import the one that your URL names: import _
// "github.com/dtaskhq/dtask/runtime/sqlite".
//
// Where to find what in the source:
//
//	main.go, service.go              the program; one process that runs tasks
//	config.go, flags.go, flagvalues.go, help.go
//	                                 the command line and the environment
//	command.go, operators.go, version.go
//	                                 the command run; those of operators; -version
//	stop.go                          signals, and stopping in two steps
//	schedule.go, tick.go             enqueueing periodic tasks; which tick is due, or missed
//	drain.go, retries.go, summary.go -drain: when it is done, and what it prints
//	orphans.go                       queues with messages that nobody takes
//	announce.go, recorder.go         what operators are told of the process, and of its messages
//	shown.go                         what is printed: without escapes and passwords
//	extension.go                     what other packages add: traces, metrics
//	due.go                           which queues have messages that are due
//	supervisor.go, child.go          -processes: the parent's side, and the child's
//	alone.go, group.go               a task alone among all processes, likewise
//	crash.go, replace.go             restarts and crash loops; reload, -max-tasks, -max-memory
//	memory_linux.go, memory_other.go how much memory a process uses; replace.go has the limit
//	vitals.go, report.go, counts.go  whether the process is live and ready; its counts
//	front.go, health.go, notify.go, pidfile.go
//	                                 what probes, systemd and pid files are told
//	clock_linux.go, clock_other.go   the clock that systemd asks for
//	log.go, terminal.go, statusline.go
//	                                 the log, as text, as JSON, and on a terminal
package worker
