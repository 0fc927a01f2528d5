package dtask_test

import (
	"context"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// An upcaster that does not return is given up like a task that does not; others go
// on. One that takes longer than the timeout has failed the attempt.
func TestUpcasterThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeBroker()
		release := make(chan struct{})
		type oldArgs struct {
			For string `json:"for"`
		}
		upcast := func(old oldArgs) (greetArgs, error) {
			switch old.For {
			case "ever":
				<-release
			case "long":
				time.Sleep(time.Minute + time.Second)
			}
			return greetArgs{Name: old.For}, nil
		}
		ran := 0
		table := dtask.Table{dtask.Define[greetArgs, dtask.None]("pkg.Greet", dtask.Spec{
			Queue: "mail", Timeout: time.Minute, Backoff: time.Second, Schema: "name string",
			Earlier: []dtask.Earlier{{Schema: "v1", Upcast: dtask.Upcast(upcast)}},
		}).Bind(func(context.Context, greetArgs) (dtask.None, error) {
			ran++
			return dtask.None{}, nil
		})}
		_, stop := run(t, b, dtask.WorkerConfig{Concurrency: 2, Logger: slog.New(slog.DiscardHandler)}, table)
		deliver := func(id string) *dtask.Message {
			m := &dtask.Message{ID: id, Task: "pkg.Greet", Queue: "mail", Schema: "v1", Body: []byte(`{"for":"` + id + `"}`), Attempt: 1, Attempts: 3}
			b.deliveries <- &fakeDelivery{b, m}
			return m
		}
		ever, long := deliver("ever"), deliver("long")
		deliver("good")
		time.Sleep(time.Minute + 30*time.Second)
		synctest.Wait()
		want := map[string][]string{"ever": {"requeue"}, "long": {"requeue"}, "good": {"done"}}
		if got := b.settlements(); !reflect.DeepEqual(got, want) || ran != 1 {
			t.Errorf("settled %v, want %v; %d ran", got, want, ran)
		}
		for _, m := range []*dtask.Message{ever, long} {
			if m.Attempt != 2 || len(m.Failures) != 1 || !strings.HasPrefix(m.Failures[0].Error, "timeout after 1m0s") {
				t.Errorf("%s: %+v", m.ID, m)
			}
		}
		close(release)
		synctest.Wait()
		stop()
	})
}
