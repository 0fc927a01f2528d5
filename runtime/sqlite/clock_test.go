package sqlite

import (
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

func TestSoberClock(t *testing.T) {
	began := time.Now()
	clock := soberClock{began, began.Round(0)}
	for _, c := range []struct {
		what string
		now  time.Time
		want time.Time
	}{
		{"an hour later", began.Add(time.Hour), began.Add(time.Hour)},
		{"set back", began.Round(0).AddDate(-1, 0, 0), began.AddDate(-1, 0, 0)},
	} {
		if got := clock.at(c.now); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

// A process that begins while the clock of the machine is years ahead leaves the
// results of the others alone, and keeps its own for no longer than they ask for.
func TestBeginsWithClockAhead(t *testing.T) {
	file := newFile(t)
	b := openBroker(t, file)
	c := mustConsume(t, b, "q", 1)
	conn := openConn(t, file)
	eventually(t, "the time is noted", func() bool {
		return mustInt(t, conn, "SELECT count(*) FROM dtask_clock WHERE abs(known - unixepoch()*1000) < 60000") == 1
	})
	ms := newMessages("q", 2)
	for _, m := range ms {
		m.Keep = time.Hour
	}
	mustEnqueue(t, b, ms...)
	for range ms {
		receive(t, c).Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("1")})
	}
	flush(t, b)
	c.Close(testContext(t))
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	// To the file it is three years ago, so to us the clock is three years ahead.
	const ahead = 3 * 365 * 24 * time.Hour
	mustExec(t, conn, "UPDATE dtask_clock SET known = known - ?", ahead.Milliseconds())
	mustExec(t, conn, "UPDATE dtask_results SET expires = expires - ? WHERE id = ?", ahead.Milliseconds(), ms[0].ID)
	mustExec(t, conn, "UPDATE dtask_results SET expires = expires - ? WHERE id = ?", (ahead + 2*time.Hour).Milliseconds(), ms[1].ID)
	b = openBroker(t, file)
	c = mustConsume(t, b, "q", 1)
	own := newMessages("q", 1)
	own[0].Keep = time.Hour
	mustEnqueue(t, b, own...)
	receive(t, c).Settle(broker.Settlement{Verdict: broker.Done, Result: []byte("1")})
	eventually(t, "the result that has expired is gone", func() bool {
		return mustInt(t, conn, "SELECT count(*) FROM dtask_results WHERE id = '"+ms[1].ID+"'") == 0
	})
	if r, err := b.Result(t.Context(), ms[0].ID); err != nil || string(r.Value) != "1" {
		t.Errorf("the result that is to be kept: %q, %v", r.Value, err)
	}
	if until := time.UnixMilli(mustInt(t, conn, "SELECT expires FROM dtask_results WHERE id = '"+own[0].ID+"'")); time.Until(until) > 0 {
		t.Errorf("its own result is kept until %v, by a clock that is years ahead", until)
	}
}
