package main

import (
	"bufio"
	"io"
	"net/http"
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
	if page := ui(t, program, "sqlite:"+file); !strings.Contains(page, "1 waits in 1 queue") {
		t.Errorf("the page of queues: %s", page)
	}
	if out := run("amqp://localhost?none=1"); !strings.Contains(out, "none") || strings.Contains(out, "linked") {
		t.Errorf("a parameter that RabbitMQ does not have: %s", out)
	}
}

// ui serves the pages, and returns that of queues.
func ui(t *testing.T, program, url string) string {
	c := exec.Command(program, "ui", "--url", url, "--addr", "127.0.0.1:0", "--read-only")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		c.Process.Kill()
		c.Wait()
	}()
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var page []byte
	brokertest.Eventually(t, func() string {
		r, err := http.Get(strings.TrimSpace(address) + "queues")
		if err != nil {
			return err.Error()
		}
		defer r.Body.Close()
		if page, err = io.ReadAll(r.Body); err != nil || r.StatusCode != http.StatusOK {
			return r.Status
		}
		return ""
	})
	return string(page)
}
