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
	flags.StringVar(&o.Broker, "broker", "", "rabbitmq, sqlite, postgresql or other (default all)")
	flags.StringVar(&o.Only, "only", "", "the letters to measure, separated by commas: A B64 B256 D10 D100 G CPU E (default all)")
	flags.StringVar(&o.Rows, "rows", "", "the rows to measure beside dtask, by parts of their names, separated by commas")
	profile := flags.String("cpuprofile", "", "write a CPU profile of all measurements to this file")
	svg := flags.String("svg", "", "write a chart to this file")
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
	if *svg == "" {
		return nil
	}
	f, err := os.Create(*svg)
	if err != nil {
		return err
	}
	if err := brokers.Chart(f, tables); err != nil {
		return err
	}
	return f.Close()
}

// runGrowth prints how dtask does with few and with many tasks waiting.
func runGrowth(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("growth", flag.ExitOnError)
	broker := flags.String("broker", "", "rabbitmq, postgresql or sqlite (default all)")
	long := flags.Bool("long", false, "millions of tasks")
	flags.Parse(args)

	dir, err := os.MkdirTemp("", "dtask-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return brokers.Growth(ctx, dir, *broker, *long, os.Stdout)
}

// runHeld prints what an open transaction costs.
func runHeld(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("held", flag.ExitOnError)
	steps := flags.Int("steps", 10, "how often to measure")
	flags.Parse(args)
	return brokers.Held(ctx, *steps, os.Stdout)
}

// runWaits prints how long it takes to wait for the results of many tasks.
func runWaits(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("waits", flag.ExitOnError)
	flags.Parse(args)

	dir, err := os.MkdirTemp("", "dtask-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return brokers.Waits(ctx, dir, os.Stdout)
}

// runWork is a program that other measurements run.
func runWork(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("work", flag.ExitOnError)
	url := flags.String("url", "", "the broker")
	concurrency := flags.Int("concurrency", 10, "tasks at a time")
	tasks := flags.Int("tasks", 0, "stop after so many")
	timed := flags.Bool("timed", false, "the tasks say when they were enqueued")
	flags.Parse(args)
	return brokers.Work(ctx, *url, *concurrency, *tasks, *timed)
}
