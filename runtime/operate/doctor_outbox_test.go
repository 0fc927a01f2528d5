package operate_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
	"github.com/dtaskhq/dtask/runtime/sqlite"
)

// An outbox says what waits in it.
type fakeOutbox struct {
	broker.Outbox
	list []broker.Backlog
	err  error
}

func (o fakeOutbox) Waiting(context.Context) ([]broker.Backlog, error) { return o.list, o.err }

// The doctor tells what is late in an outbox from what nobody relays.
func TestDiagnoseOutbox(t *testing.T) {
	b, err := sqlite.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "tasks.db"), broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	for want, o := range map[string]broker.Outbox{
		"":                                  nil,
		"ok 3 messages wait, none for long": fakeOutbox{list: []broker.Backlog{{For: "a", Messages: 1, Oldest: ago(time.Second)}, {For: "b", Messages: 2, Oldest: ago(time.Minute)}}},
		"warning 7 messages wait for a, the first for 1h0m0s":                             fakeOutbox{list: []broker.Backlog{{For: "a", Messages: 7, Oldest: ago(time.Hour)}}},
		"problem 8 messages wait for b, the first for 1h0m0s, and no process relays them": fakeOutbox{list: []broker.Backlog{{For: "b", Messages: 8, Oldest: ago(time.Hour), Abandoned: true}}},
		"problem no database": fakeOutbox{err: errors.New("no database")},
	} {
		got := ""
		for _, f := range operate.New(b).WithOutbox(o).Diagnose(t.Context()) {
			if f.Check == "outbox" {
				got += fmt.Sprint(f.State, " ", f.Text)
			}
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
