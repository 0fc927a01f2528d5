package main

import (
	"context"
	"flag"
	"os"

	"github.com/dtaskhq/dtask/bench/lists"
)

// runLists prints how long operators wait for lists of a large file.
func runLists(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("lists", flag.ExitOnError)
	waiting := flags.Int("waiting", 5_000_000, "messages that wait")
	dead := flags.Int("dead", 100_000, "dead letters")
	flags.Parse(args)

	dir, err := os.MkdirTemp("", "dtask-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return lists.Run(ctx, dir, *waiting, *dead, os.Stdout, os.Stderr)
}
