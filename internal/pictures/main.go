// Command pictures makes the pictures of the pages, in docs/pictures:
//
//	go run ./internal/pictures
//
// It draws how a task travels, and photographs the page of the example after a real
// run, with Chromium.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

const folder = "docs/pictures"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func run() error {
	if err := os.WriteFile(filepath.Join(folder, "travel.svg"), []byte(diagram()), 0o666); err != nil {
		return err
	}
	return photograph(filepath.Join(folder, "example.png"))
}
