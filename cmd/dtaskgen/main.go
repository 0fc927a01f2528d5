// Dtaskgen generates the wrappers and dispatch tables of dtask.
//
// Usage:
//
//	dtaskgen [flags] [packages]
//
// It looks for functions and methods that are marked as tasks,
//
//	//dtask:task queue=mail retries=5 timeout=30s
//	func SendWelcome(ctx context.Context, to string, user User) error
//
// in the packages that match the patterns (by default the one in the current
// directory), and writes a file dtask_gen.go into each package that has some. In
// dtask.lock, in the root of the module, it keeps what messages look like and looked
// like before.
// One run on ./... serves a module:
//
//	//go:generate go tool dtaskgen ./...
//
// A file is written only if it changes, and none is if anything is wrong
// anywhere. docs/tasks.md describes the directives and what a task can be,
// docs/diagnostics.md what dtaskgen may have to say.
//
// The flags are:
//
//	-check
//		Write nothing. Print a diff of what would change, say what a deploy
//		means for waiting messages, and exit with 1 if there is a diff or if
//		messages would be stranded.
//	-against REF
//		With -check: compare dtask.lock with the one of this revision of git,
//		or with this file. Without it, with the one of the commit where the
//		branch left the main one.
//	-list, -n
//		Write nothing. List the tasks.
//	-json
//		Print diagnostics, the summary and the tasks of -list as a JSON object
//		a line.
//	-emit jsonschema -o DIR
//		Write nothing but a JSON Schema (2020-12) of the arguments of each task,
//		and of its result, into DIR, by the name of the task.
//	-emit upcasttest
//		Print a test of the upcasters of a package, with a message of each
//		earlier version, for somebody to go on with. Write nothing.
//	-prune DAY
//		Take the versions out of dtask.lock that were left before a day
//		(2006-01-02), and the tasks that were gone by then.
//	-found FILE
//		With -prune: keep those that are in what preflight -json has printed.
//	-q
//		Print no summary, which is a line such as
//		3 tasks in 2 packages; wrote mail/dtask_gen.go
//	-tags LIST
//		Build tags to choose files by, separated by commas. Without it those of
//		GOFLAGS hold.
//
// Dtaskgen exits with 0 if all is well, with 1 if there is something to mend
// (or, with -check, to generate), and with 2 if it could not do its work.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// abandonAfter is how long a run may go on after a signal. It is for those that
// write at that moment: each file is written in one piece.
const abandonAfter = time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	done := make(chan int, 1)
	go func() { done <- run(ctx, os.Args[1:], os.Stdout, os.Stderr) }()
	select {
	case code := <-done:
		os.Exit(code)
	case <-ctx.Done():
	}
	stop() // a second signal ends the process at once
	select {
	case code := <-done:
		os.Exit(code)
	case <-time.After(abandonAfter): // what computes does not look at the context
		fmt.Fprintln(os.Stderr, "dtaskgen: interrupted")
		os.Exit(exitTrouble)
	}
}
