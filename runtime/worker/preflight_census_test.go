package worker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A censusBroker is one that counts dead letters alone and keeps a census.
type censusBroker struct {
	broker.Broker
	census broker.Census
}

func (b *censusBroker) Counts(_ context.Context, s broker.Selection) ([]broker.Count, error) {
	if len(s.States) != 1 {
		return nil, fmt.Errorf("%w: dead letters only", broker.ErrUnsupported)
	}
	return []broker.Count{{Queue: "mail", Task: "mail.Gone", Schema: "1", State: broker.StateDead, Messages: 3}}, nil
}

func (b *censusBroker) Census(context.Context) (broker.Census, error) { return b.census, nil }

func (b *censusBroker) Close() error { return nil }

// A census is a superset: what it may not have is said by the exit code.
func TestPreflightOfCensus(t *testing.T) {
	b := new(censusBroker)
	broker.Register("census", func(context.Context, string, broker.Config) (broker.Broker, error) { return b, nil })
	seen, late := time.Now().Add(-time.Hour), time.Now().Add(48*time.Hour)
	runs := broker.Kind{Queue: "mail", Task: "mail.Greet", Schema: "name string", Seen: seen, Latest: late}
	gone := broker.Kind{Queue: "mail", Task: "mail.Gone", Schema: "1", Seen: seen}
	for name, c := range map[string]struct {
		census       broker.Census
		code         int
		stdout, line string
	}{
		"nothing":  {broker.Census{}, exitOK, "mail.Gone", ""},
		"runs":     {broker.Census{Kinds: []broker.Kind{runs}}, exitOK, "may wait, seen " + seen.UTC().Format(time.DateOnly) + ", delayed until " + late.UTC().Format(time.RFC3339), ""},
		"gone":     {broker.Census{Kinds: []broker.Kind{runs, gone}}, exitFailed, "unknown: this program has no such task", "this program would not run messages of 1 kinds that may wait"},
		"unnamed":  {broker.Census{Kinds: []broker.Kind{runs}, Unnamed: []string{"a", "b"}}, exitUsage, "", "queue a, b has messages whose producers say no kind"},
		"overflow": {broker.Census{Overflow: true}, exitUsage, "", "more kinds of messages than the census may name"},
		"cut off":  {broker.Census{Since: time.Now().Add(-time.Hour)}, exitUsage, "", "the census goes back to "},
		"old":      {broker.Census{Since: time.Now().Add(-100 * 24 * time.Hour)}, exitOK, "", ""},
	} {
		b.census = c.census
		code, stdout, stderr := runProgram(map[string]string{"DTASK_URL": "census:"}, "", "preflight")
		if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.line) || (stderr == "") != (c.line == "") {
			t.Errorf("%s: exit %d\n%s%s", name, code, stdout, stderr)
		}
	}
}

// What else a broker keeps is judged as well: schedules, and results.
func TestPreflightOfKept(t *testing.T) {
	url := "sqlite:" + t.TempDir() + "/tasks.db"
	b, err := broker.Open(t.Context(), url, broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for _, schedule := range []string{"mail.Purge", "mail.Gone", "mail.Greet"} {
		if ok, err := b.(broker.TickStore).Tick(t.Context(), schedule, time.Time{}, time.Now(), nil); !ok || err != nil {
			t.Fatal(err)
		}
	}
	result := func(task, value string) {
		m := &broker.Message{ID: fmt.Sprint(task, value), Task: task, Queue: "mail", Body: []byte("{}"), Attempt: 1, Attempts: 1, EnqueuedAt: time.Now(), Keep: time.Hour}
		if err := b.Enqueue(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		c, err := b.Consume(t.Context(), broker.ConsumeOptions{Queue: "mail", Concurrency: 1})
		if err != nil {
			t.Fatal(err)
		}
		(<-c.Deliveries()).Settle(broker.Settlement{Verdict: broker.Done, Result: []byte(value)})
		if err := c.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	preflight := func() (int, string, string) {
		return runProgram(map[string]string{"DTASK_URL": url}, "", "preflight")
	}
	result("mail.Count", `{"value":7}`)
	code, stdout, stderr := preflight()
	for _, want := range []string{"ticks", "stops: this program has no such task", "stops: its task is not periodic any more", "is read"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if code != exitOK || stderr != "" {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	result("mail.Count", `{"schema":"v0","value":"x"}`)
	if code, stdout, stderr := preflight(); code != exitFailed || !strings.Contains(stdout, "is not read: it has the schema v0") ||
		!strings.Contains(stderr, "could not read 1 of the results that are kept") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

// With the lock of the workers that run now, preflight says what these do with what
// this program sends.
func TestPreflightFrom(t *testing.T) {
	const head = "dtask.lock 1\nmodule example.com/mail\n"
	task := func(name, queue, versions string) string {
		return fmt.Sprintf("\ntask %s\n\tpackage ./mail\n\tqueue %s\n%s", name, queue, versions)
	}
	const (
		empty = "\targs v1 e3b0c44298fc1c14\n"
	)
	for name, c := range map[string]struct {
		lock, stdout string
		code         int
	}{
		"newer":   {head + task("mail.Greet", "mail", empty) + task("mail.Purge", "default", empty), "handed back: its arguments are newer than that build", exitFailed},
		"no task": {head + task("mail.Greet", "mail", empty), "unknown: that build has no such task", exitFailed},
		"queue":   {head + task("mail.Greet", "other", empty), "waits: no task of that build is on queue mail", exitFailed},
		"damaged": {"dtask.lock 1\nmodul", "", exitUsage},
	} {
		path := filepath.Join(t.TempDir(), "dtask.lock")
		if err := os.WriteFile(path, []byte(c.lock), 0o666); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := runProgram(nil, "", "preflight", "-from", path)
		if code != c.code || !strings.Contains(stdout, c.stdout) || stderr == "" {
			t.Errorf("%s: exit %d\n%s%s", name, code, stdout, stderr)
		}
	}
	if code, _, stderr := runProgram(nil, "", "preflight", "-from", "/nowhere"); code != exitUsage || !strings.Contains(stderr, "cannot read the lock") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}
