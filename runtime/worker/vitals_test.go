package worker

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/dtasktest"
)

// A worker is live while it works, waits, or has nothing to do. It is not live when
// messages are due and it takes none.
func TestVitals(t *testing.T) {
	stop, stopNow := context.WithCancel(t.Context())
	v := newVitals(stop)
	now := time.Now()
	if r := v.report(now); !r.Live || r.Ready || !strings.Contains(r.Problem, "not answered yet") {
		t.Errorf("before the broker has answered: %+v", r)
	}

	client := dtasktest.NewInline()
	worker, err := dtask.NewWorker(client, dtask.WorkerConfig{Logger: slog.New(slog.DiscardHandler)}, dtask.Table{greetTask.Bind(nil)})
	if err != nil {
		t.Fatal(err)
	}
	v.service = &service{worker: worker, counts: newCounts(nil), orphans: &orphanWatch{}}
	check := func(what string, live, ready bool, problem string) {
		t.Helper()
		if r := v.report(now); r.Live != live || r.Ready != ready || !strings.Contains(r.Problem, problem) || (problem == "") != (r.Problem == "") {
			t.Errorf("%s: live %v, ready %v, problem %q; want %v, %v, %q", what, r.Live, r.Ready, r.Problem, live, ready, problem)
		}
	}
	check("nothing is due", true, true, "")
	now = now.Add(time.Hour)
	check("nothing is due for an hour", true, true, "")
	v.due = "mail"
	check("something has just become due", true, true, "")
	now = now.Add(stalledAfter)
	check("it has been due for a while", true, true, "")
	now = now.Add(time.Second)
	check("nobody takes it", false, false, "messages are due on queue mail")

	v.broker = errors.New("connection refused")
	check("the broker is away", true, false, "connection refused")
	v.broker = nil
	check("the broker is back", true, true, "")
	now = now.Add(2 * stalledAfter)
	v.settled = -1 // something was settled since
	check("messages are taken", true, true, "")

	stopNow()
	check("told to stop", true, false, "stopping")
}

// Reports add up, for the supervisor.
func TestReportPlus(t *testing.T) {
	a := report{Memory: 1, Stats: dtask.WorkerStats{Done: 1, Running: 2}, Tasks: map[string]taskCounts{"x": {Done: 1}}}
	b := report{Memory: 2, Stats: dtask.WorkerStats{Done: 3, Dead: 1}, Tasks: map[string]taskCounts{"x": {Retried: 1}, "y": {Done: 2}}}
	sum := report{}.plus(a).plus(b)
	if sum.Memory != 3 || sum.Stats.Done != 4 || sum.Stats.Running != 2 || sum.Stats.Dead != 1 || sum.Tasks["x"] != (taskCounts{Done: 1, Retried: 1}) || sum.Tasks["y"].Done != 2 {
		t.Errorf("sum %+v", sum)
	}
	if len(a.Tasks) != 1 || a.Tasks["x"].Retried != 0 {
		t.Errorf("an addend has changed: %+v", a)
	}
}

// The late return of a task that was given up is not counted, and a drain does not
// expect a retry of it.
func TestGivenUpCountsAsNothing(t *testing.T) {
	c, r := newCounts(dtask.Table{{Name: "mail.Greet"}}), newRetries()
	kinds := []dtask.OutcomeKind{dtask.OutcomeRetried, dtask.OutcomeGivenUp}
	handle := c.middleware(r.middleware(func(context.Context, *dtask.Message) dtask.Outcome {
		o := dtask.Outcome{Kind: kinds[0], Err: errors.New("late"), In: time.Minute}
		kinds = kinds[1:]
		return o
	}))
	for range 2 {
		handle(t.Context(), &dtask.Message{ID: "1", Task: "mail.Greet"})
	}
	got := c.all(nil)["mail.Greet"]
	got.Took = 0
	if got != (taskCounts{Retried: 1}) || len(c.all(nil)) != 1 {
		t.Errorf("counts %+v, want one retry", c.all(nil))
	}
	if !r.dueWithin(time.Minute) {
		t.Error("the retry is forgotten")
	}
}
