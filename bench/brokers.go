package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime/pprof"
	"time"

	"github.com/dtaskhq/dtask/bench/brokers"
)

// runBrokers prints how dtask compares on its brokers.
func runBrokers(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("brokers", flag.ExitOnError)
	o := brokers.Options{Out: os.Stdout, Log: os.Stderr}
	flags.IntVar(&o.Rounds, "rounds", 3, "how often each measurement is made; the medians count")
	flags.DurationVar(&o.Duration, "duration", 3*time.Second, "of enqueueing in each measurement")
	flags.StringVar(&o.Broker, "broker", "", "rabbitmq or sqlite (default both)")
	flags.StringVar(&o.Only, "only", "", "the letters to measure, separated by commas: A B64 B256 D10 D100 G E")
	flags.StringVar(&o.Rows, "rows", "", "the rows to measure beside dtask, by parts of their names, separated by commas")
	profile := flags.String("cpuprofile", "", "write a CPU profile of all measurements to this file")
	flags.Parse(args)
	if *profile != "" {
		f, err := os.Create(*profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}

	dir, err := os.MkdirTemp("", "dtask-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	o.Dir = dir
	tables, err := brokers.Run(ctx, o)
	if err != nil {
		return err
	}
	for _, t := range tables {
		t.Print(os.Stdout)
	}
	fmt.Println()
	return nil
}
