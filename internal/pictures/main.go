// Command pictures makes the pictures of the pages, in docs/pictures:
//
//	go run ./internal/pictures
//
// It draws how a task travels, and photographs the page of the example and its dashboard
// after a real run, with Chromium. It draws dtask top as it is in a terminal of tmux,
// beside a real worker, the spans that a real request leaves, and what a real Prometheus
// says to the queries of the board for Grafana.
//
// Give it names to make only some: travel, example, top, trace, board.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

const folder = "docs/pictures"

func main() {
	if os.Getenv(workerEnv) != "" {
		os.Exit(shop(os.Args[1:]))
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func run(only []string) error {
	for _, p := range []struct {
		name string
		make func() error
	}{
		{"travel", func() error {
			return os.WriteFile(filepath.Join(folder, "travel.svg"), []byte(diagram()), 0o666)
		}},
		{"example", func() error {
			return photograph(filepath.Join(folder, "example.png"), filepath.Join(folder, "dashboard.png"))
		}},
		{"top", func() error { return terminals(folder) }},
		{"trace", func() error { return traced(filepath.Join(folder, "trace.svg")) }},
		{"board", func() error { return board(filepath.Join(folder, "board.svg")) }},
	} {
		if len(only) > 0 && !slices.Contains(only, p.name) {
			continue
		}
		if err := p.make(); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}
