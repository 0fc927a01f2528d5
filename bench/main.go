// Command bench measures and proves dtask against the outside world.
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
	summary string
	run     func(ctx context.Context, args []string) error
}

var commands = map[string]command{
	"brokers":   {"measure dtask on its brokers, beside the bare clients and other task systems", runBrokers},
	"growth":    {"measure dtask with few and with many tasks waiting", runGrowth},
	"work":      {"a worker process (a part of growth)", runWork},
	"parse":     {"list and parse the module in the current directory (a part of generator)", runParse},
	"corpus":    {"generate tasks from popular modules", runCorpus},
	"generator": {"time dtaskgen on a large module, beside goverter and wire", runGenerator},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	flag.Usage = usage
	flag.Parse()
	c, ok := commands[flag.Arg(0)]
	if !ok {
		usage()
		os.Exit(2)
	}
	if err := c.run(ctx, flag.Args()[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "bench %s: %v\n", flag.Arg(0), err)
		stop()
		os.Exit(1)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: go run . COMMAND [flags], in the directory bench")
}
