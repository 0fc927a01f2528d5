package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dtaskhq/dtask/bench/lists"
	"github.com/dtaskhq/dtask/internal/testenv/postgresnode"
)

// runPages prints how long the dashboard takes for its pages, over many messages.
func runPages(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("pages", flag.ExitOnError)
	waiting := flags.Int("waiting", 1_000_000, "messages that wait")
	dead := flags.Int("dead", 100_000, "dead letters")
	only := flags.String("broker", "", "sqlite or postgresql (default both)")
	flags.Parse(args)

	if *only != "postgresql" {
		dir, err := os.MkdirTemp("", "dtask-bench")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		if err := lists.Pages(ctx, "SQLite", "sqlite:"+filepath.Join(dir, "pages.db"), *waiting, *dead, os.Stdout, os.Stderr); err != nil {
			return err
		}
	}
	if *only == "sqlite" {
		return nil
	}
	node, err := postgresnode.Start(ctx, postgresnode.Options{Durable: true})
	if errors.Is(err, postgresnode.ErrNotInstalled) {
		fmt.Println("PostgreSQL is not installed: its pages are left out.")
		return nil
	}
	if err != nil {
		return err
	}
	defer node.Stop()
	return lists.Pages(ctx, "PostgreSQL", node.URL(), *waiting, *dead, os.Stdout, os.Stderr)
}
