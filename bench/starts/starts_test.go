// Package starts measures how long the command dtask takes to start, beside a Go program
// that does nothing:
//
//	go test -run NONE -bench . ./starts
package starts

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
	_ "github.com/dtaskhq/dtask/runtime/sqlite" // sqlite:
)

// build builds a program in the module of a directory.
func build(b *testing.B, dir, pkg string) (file string) {
	b.Helper()
	file = filepath.Join(b.TempDir(), "program")
	cmd := exec.Command("go", "build", "-o", file, pkg)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("go build %s: %v\n%s", pkg, err, out)
	}
	return file
}

func BenchmarkStart(b *testing.B) {
	nothing, dtask := build(b, ".", "./nothing"), build(b, "../..", "./cmd/dtask")
	url := "sqlite:" + filepath.Join(b.TempDir(), "tasks.db")
	store, err := broker.Open(context.Background(), url, broker.Config{})
	if err != nil {
		b.Fatal(err)
	}
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
	}{
		{"nothing", []string{nothing}},
		{"help", []string{dtask, "-h"}},
		{"queues", []string{dtask, "queues", "--url", url}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if out, err := exec.Command(c.args[0], c.args[1:]...).CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
			}
		})
	}
}
