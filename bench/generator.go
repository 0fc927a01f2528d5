package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"

	"github.com/dtaskhq/dtask/bench/generator"
)

// runGenerator prints how fast tasks are generated.
func runGenerator(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("generator", flag.ExitOnError)
	rounds := flags.Int("rounds", 5, "how often each program runs")
	flags.Parse(args)

	dtask, err := filepath.Abs("..")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "dtask-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return generator.Run(ctx, dtask, dir, *rounds, os.Stdout)
}

// runParse is a program that runGenerator runs.
func runParse(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("parse", flag.ExitOnError)
	deps := flags.Bool("deps", false, "parse the dependencies too")
	flags.Parse(args)
	return generator.Parse(ctx, *deps)
}
