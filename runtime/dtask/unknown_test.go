package dtask

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// The names of tasks come from messages. A worker that gets those of a thousand
// others logs a hundred, says that there are more, and remembers no further ones.
func TestUnknownTasksAreBounded(t *testing.T) {
	var log bytes.Buffer
	w, err := NewWorker(NewClient(nil), WorkerConfig{Logger: slog.New(slog.NewTextHandler(&log, nil)), KeepUnknown: time.Hour},
		Table{Define[None, None]("pkg.Known", Spec{Queue: "mail", Schema: "s"}).Bind(nil)})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		for i := range 500 {
			for _, schema := range []string{"a", "b"} {
				o := w.attempt(t.Context(), &Message{Task: fmt.Sprintf("pkg.Other%d", i), Schema: schema, Queue: "mail", Attempt: 1, Attempts: 1})
				if o.Kind != OutcomeHandedBack {
					t.Fatalf("task %d: %v, %v", i, o.Kind, o.Err)
				}
			}
		}
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != maxUnknown+1 || len(w.unknown.logged) != maxUnknown {
		t.Errorf("%d lines for %d tasks, want %d for %d", len(lines), len(w.unknown.logged), maxUnknown+1, maxUnknown)
	}
	if last := lines[len(lines)-1]; !strings.Contains(last, "no longer logged one by one") {
		t.Errorf("the last line is %s", last)
	}
}
