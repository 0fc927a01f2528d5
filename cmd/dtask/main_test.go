package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// The program is built, knows both brokers, and makes no file.
func TestProgram(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "dtask.exe")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	run := func(url string) string {
		out, _ := exec.Command(program, "queues", "-url", url).CombinedOutput()
		return string(out)
	}
	file := filepath.Join(dir, "tasks.db")
	for range 2 {
		if out := run("sqlite:" + file); !strings.Contains(out, "the worker, or the first Delay, makes it") {
			t.Errorf("a file that does not exist: %s", out)
		}
	}
	b, err := broker.Open(brokertest.Context(t), "sqlite:"+file, broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	brokertest.Enqueue(t, b, brokertest.Message("mail"))
	b.Close()
	if out := run("sqlite:" + file); !strings.Contains(out, "mail   1") {
		t.Errorf("queues: %s", out)
	}
	if out := run("amqp://localhost?none=1"); !strings.Contains(out, "none") || strings.Contains(out, "linked") {
		t.Errorf("a parameter that RabbitMQ does not have: %s", out)
	}
}
