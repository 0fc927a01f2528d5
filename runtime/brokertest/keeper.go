package brokertest

import (
	"reflect"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// Schedules that have ticked are known, and so are results by their fingerprints:
// those that are kept still.
func testKeeper(t *testing.T, store Store) {
	url := store(t)
	b, reader, stranger := open(t, url), open(t, url), open(t, store(t))
	check := func(by broker.Broker, ticks []broker.Ticked, results []broker.ResultCount) {
		t.Helper()
		gotTicks, err := as[broker.Keeper](t, by).Schedules(Context(t))
		if err != nil || len(gotTicks)+len(ticks) > 0 && !reflect.DeepEqual(gotTicks, ticks) {
			t.Errorf("schedules %+v, %v; want %+v", gotTicks, err, ticks)
		}
		got, err := as[broker.Keeper](t, by).KeptResults(Context(t))
		if err != nil || len(got)+len(results) > 0 && !reflect.DeepEqual(got, results) {
			t.Errorf("results %+v, %v; want %+v", got, err, results)
		}
	}
	check(reader, nil, nil)
	at := time.UnixMilli(time.Now().UnixMilli())
	for _, name := range []string{"pkg.B", "pkg.A"} {
		Eventually(t, func() string {
			if _, err := as[broker.TickStore](t, b).LastTick(Context(t), name); err != nil {
				return err.Error()
			}
			return ""
		})
		if ok, err := as[broker.TickStore](t, b).Tick(Context(t), name, time.Time{}, at, nil); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	c := Consume(t, b, "q", 1)
	for _, r := range []struct {
		task, value string
		keep        time.Duration
	}{
		{"pkg.T", `{"schema":"1","value":7}`, time.Hour},
		{"pkg.T", `{"schema":"1","value":8}`, time.Hour},
		{"pkg.T", `{"schema":"2","value":[]}`, time.Hour},
		{"pkg.T", `{"schema":"1","value":9}`, time.Millisecond}, // is over
		{"pkg.S", `{"value":7}`, time.Hour},
		{"pkg.S", `7`, time.Hour},
		{"pkg.S", `no JSON`, time.Hour},
		{"pkg.S", `{"schema":3}`, time.Hour},
	} {
		m := Message("q")
		m.Task, m.Keep = r.task, r.keep
		Enqueue(t, b, m)
		Receive(t, c).Settle(broker.Settlement{Verdict: broker.Done, Result: []byte(r.value)})
	}
	closeConsumer(t, c)
	check(reader, []broker.Ticked{{Schedule: "pkg.A", Last: at}, {Schedule: "pkg.B", Last: at}},
		[]broker.ResultCount{{Task: "pkg.S", Results: 4}, {Task: "pkg.T", Schema: "1", Results: 2}, {Task: "pkg.T", Schema: "2", Results: 1}})
	check(stranger, nil, nil)
}
