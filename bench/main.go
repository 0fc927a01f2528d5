// Command bench measures dtask beside other programs that do the same work,
// and tests its generator on code that was not written for it.
//
// It is a module of its own, so that users of dtask do not depend on the programs
// that it is compared with. Run it in its directory:
//
//	go run . COMMAND [flags]
//
// docs/performance.md has the results.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

// A command is what the first argument names.
type command struct {
	name    string
	summary string // empty for a part of another command
	run     func(ctx context.Context, args []string) error
}

var commands = []command{
	{"brokers", "dtask on its brokers, beside the bare clients and other task systems", runBrokers},
	{"growth", "dtask with few and with many tasks waiting", runGrowth},
	{"held", "queues in PostgreSQL while somebody leaves a transaction open", runHeld},
	{"waits", "waiting for the results of many tasks", runWaits},
	{"lists", "what operators look at in a large SQLite file", runLists},
	{"pages", "the pages of the dashboard over a million messages", runPages},
	{"generator", "dtaskgen on a large module, beside goverter and wire", runGenerator},
	{"corpus", "dtaskgen on popular modules: does it crash, does its code compile", runCorpus},
	{"parse", "", runParse},
	{"work", "", runWork},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	flag.Usage = usage
	flag.Parse()
	code := 2
	for _, c := range commands {
		if c.name == flag.Arg(0) {
			code = 0
			if err := c.run(ctx, flag.Args()[1:]); err != nil {
				fmt.Fprintf(os.Stderr, "bench %s: %v\n", c.name, err)
				code = 1
			}
		}
	}
	if code == 2 {
		usage()
	}
	stop()
	os.Exit(code)
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: go run . COMMAND [flags]; COMMAND -h explains the flags")
	for _, c := range commands {
		if c.summary != "" {
			fmt.Fprintf(os.Stderr, "  %-10s %s\n", c.name, c.summary)
		}
	}
	fmt.Fprintln(os.Stderr, "  go test -run NONE -bench . ./codec measures a task outside of its broker")
}
