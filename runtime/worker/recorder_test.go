package worker

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

// fakeJournal keeps batches, and says of some that it did not.
type fakeJournal struct {
	broker.Journal
	sums    map[string]broker.Tally // by minute, queue and task
	serial  int64
	refuses bool
	unsure  bool
}

func (j *fakeJournal) Note(_ context.Context, b broker.Batch) (time.Duration, error) {
	if len(b.Tallies) == 0 || len(b.Tallies) > broker.MaxBatch {
		panic(fmt.Sprintf("a batch of %d", len(b.Tallies)))
	}
	if !j.refuses && b.Serial > j.serial {
		j.serial = b.Serial
		for _, t := range b.Tallies {
			key := fmt.Sprint(t.Minute.Unix(), t.Queue, t.Task)
			sum := j.sums[key]
			sum.Add(&t)
			j.sums[key] = sum
		}
	}
	if j.refuses || j.unsure {
		return 0, errors.New("no answer")
	}
	return time.Second, nil
}

// Every outcome is counted once, whatever the broker says of batches, and names of
// others do not make the journal grow.
func TestRecorder(t *testing.T) {
	j := &fakeJournal{sums: make(map[string]broker.Tally)}
	r := &recorder{journal: j, process: "p", keep: time.Hour, name: newCounts(dtask.Table{{Name: "pkg.Known"}}).name, now: make(map[taskOnQueue]*broker.Tally)}
	start := time.Now().Truncate(time.Minute)
	note := func(minute, n int, queue, task string) {
		for range n {
			began := start.Add(time.Duration(minute) * time.Minute)
			r.note(inside.Settled{ProcessRunning: broker.ProcessRunning{Task: task, Queue: queue, Since: began}, Waited: time.Second, Ended: began.Add(time.Second), Outcome: "done"})
		}
	}
	write := func() error {
		_, err := r.write(t.Context())
		return err
	}
	if err := write(); err != nil || j.serial != 0 {
		t.Errorf("nothing is written as batch %d, %v", j.serial, err)
	}
	note(0, 3, "work", "pkg.Known")
	j.unsure = true
	if write() == nil {
		t.Error("no error")
	}
	note(0, 2, "work", "pkg.Known")
	note(1, 1, "work", "pkg.Known")
	j.refuses = true
	if write() == nil {
		t.Error("no error")
	}
	j.refuses, j.unsure = false, false
	for i := range 1000 {
		note(1, 1, "work", fmt.Sprint("other.", i))
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	want := func(done, sums int64) {
		t.Helper()
		var got, waited int64
		for _, sum := range j.sums {
			got += sum.Done
			waited += sum.Waited.Count()
		}
		if got != done || waited != done || int64(len(j.sums)) != sums {
			t.Errorf("%d done and %d waits in %d tallies, want %d in %d", got, waited, len(j.sums), done, sums)
		}
	}
	want(1006, 3)

	// The broker is away for days: what is kept for it is bounded, and all is counted.
	j.refuses = true
	for minute := range 3 * maxTallies {
		note(10+minute, 1, "work", "pkg.Known")
		if minute%100 == 0 {
			write()
		}
	}
	if n := len(r.over) + len(r.pending); n > maxTallies+broker.MaxBatch+1 {
		t.Errorf("%d tallies wait", n)
	}
	j.refuses = false
	if err := write(); err != nil {
		t.Fatal(err)
	}
	if len(r.over)+len(r.now)+len(r.pending) > 0 {
		t.Error("something is left")
	}
	var done int64
	for _, sum := range j.sums {
		done += sum.Done
	}
	if want := int64(1006 + 3*maxTallies); done != want {
		t.Errorf("%d done, want %d", done, want)
	}
}
