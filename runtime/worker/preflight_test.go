package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Preflight says what this program would do with what waits, and runs nothing.
func TestPreflight(t *testing.T) {
	url := "sqlite:" + t.TempDir() + "/tasks.db"
	b, err := broker.Open(t.Context(), url, broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	n := 0
	put := func(task, schema, body string, delay time.Duration) {
		n++
		m := &broker.Message{ID: fmt.Sprintf("m%d", n), Task: task, Queue: "mail", Schema: schema, Body: []byte(body), Attempt: 1, Attempts: 1, EnqueuedAt: time.Now()}
		if delay > 0 {
			m.NotBefore = time.Now().Add(delay)
		}
		if err := b.Enqueue(context.Background(), m); err != nil {
			t.Fatal(err)
		}
	}
	preflight := func(args ...string) (code int, stdout, stderr string) {
		return runProgram(map[string]string{"DTASK_URL": url}, "", append([]string{"preflight"}, args...)...)
	}
	put("mail.Greet", "name string", `{"name":"a"}`, 0)
	put("mail.Greet", "name string", `{"name":"b"}`, time.Hour)
	put("mail.Greet", "", `{"name":"c"}`, 0)
	if code, stdout, stderr := preflight(); code != exitOK || !strings.Contains(stdout, "mail.Greet  mail   name string  delayed until ") || stderr != "" {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	put("mail.Greet", "name base64", `{"name":"YQ=="}`, 0)
	put("mail.Greet", "", `{"nom":"d"}`, 0)
	put("mail.Gone", "x", `{}`, 0)
	code, stdout, stderr := preflight("-json")
	if code != exitFailed || !strings.Contains(stderr, "this program would not run 4 of the waiting messages") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	want := map[string]string{
		"mail.Greet name string ready":   "runs ",
		"mail.Greet name string delayed": "runs ",
		"mail.Greet name base64 ready":   "unknown its arguments have the schema name base64, which this build does not know",
		"mail.Greet  ready":              "handed back 1 of 2 that were tried do not decode: has field nom, this build wants name",
		"mail.Gone x ready":              "unknown this program has no such task",
	}
	for line := range strings.Lines(stdout) {
		var f finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		kind := fmt.Sprintf("%s %s %s", f.Task, f.Schema, f.State)
		if got := string(f.Fate) + " " + f.Reason; want[kind] == "" || !strings.HasPrefix(got, want[kind]) {
			t.Errorf("%s: %s, want %s", kind, got, want[kind])
		}
		delete(want, kind)
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
	if code, _, _ := preflight("-x"); code != exitUsage {
		t.Errorf("exit %d of a wrong flag", code)
	}
	if code, _, stderr := runProgram(map[string]string{"DTASK_URL": "sqlite:/nowhere/at/all.db"}, "", "preflight"); code != exitUsage || !strings.Contains(stderr, "preflight: ") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
	states, err := b.(broker.Admin).Queues(t.Context())
	if err != nil || len(states) != 1 || states[0].Ready != 5 || states[0].Delayed != 1 {
		t.Errorf("preflight changed the queue: %+v, %v", states, err)
	}
}
