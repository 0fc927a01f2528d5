package brokertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// A payment has had three versions of its arguments: {amount string}, {cents int64}
// and this one.
type payment struct {
	Cents    int64  `json:"cents"`
	Currency string `json:"currency"`
}

type paymentV1 struct {
	Amount string `json:"amount"`
}

type paymentV2 struct {
	Cents int64 `json:"cents"`
}

func paymentFromV1(old paymentV1) (v paymentV2, err error) {
	whole, cents, ok := strings.Cut(old.Amount, ".")
	if !ok || len(cents) != 2 {
		return v, errors.New("no amount: " + old.Amount)
	}
	for _, r := range whole + cents {
		v.Cents = 10*v.Cents + int64(r-'0')
	}
	return v, nil
}

func paymentFromV2(old paymentV2) (payment, error) {
	if old.Cents < 0 {
		panic("a negative amount")
	}
	return payment{old.Cents, "EUR"}, nil
}

// Messages of earlier builds run with the values that they stand for, or do not run
// at all, and none is lost: what is converted, what is read as it is, what is
// refused, what cannot be converted, and what nobody knows; of two tasks, one of
// which had another name.
func testWorkerEarlier(t *testing.T, store Store) {
	b := open(t, store(t))
	pay := dtask.Define[payment, dtask.None]("shop.Pay", dtask.Spec{
		Queue: "work", Backoff: time.Millisecond, Schema: "v3",
		Was: []string{"shop.Charge", "till.Charge"},
		Earlier: []dtask.Earlier{
			{Schema: "v2", Upcast: dtask.Upcast(paymentFromV2)},
			{Schema: "v1", Upcast: dtask.Upcast(dtask.Compose(paymentFromV1, paymentFromV2))},
			{Schema: "v0", Refused: "it is of v0, and since then: cents: string became int64"},
		},
	})
	note := dtask.Define[noteArgs, dtask.None]("shop.Note", dtask.Spec{
		Queue: "work", Backoff: time.Millisecond, Schema: "v2",
		Earlier: []dtask.Earlier{{Schema: "v1"}},
	})
	type run struct {
		id   string
		args any
	}
	ran := make(chan run, 20)
	report := func(ctx context.Context, args any) (dtask.None, error) {
		info, _ := dtask.InfoFromContext(ctx)
		ran <- run{info.ID, args}
		return dtask.None{}, nil
	}
	table := dtask.Table{
		pay.Bind(func(ctx context.Context, p payment) (dtask.None, error) { return report(ctx, p) }),
		note.Bind(func(ctx context.Context, n noteArgs) (dtask.None, error) { return report(ctx, n) }),
	}

	wantRun := make(map[string]any)
	wantDead := make(map[string]string)
	for _, c := range []struct {
		task, schema, body string
		run                any
		dead               string
	}{
		{"shop.Pay", "v3", `{"cents":1,"currency":"USD"}`, payment{1, "USD"}, ""},
		{"shop.Pay", "v2", `{"cents":2}`, payment{2, "EUR"}, ""},
		{"shop.Pay", "v1", `{"amount":"0.03"}`, payment{3, "EUR"}, ""},
		{"shop.Charge", "v2", `{"cents":4}`, payment{4, "EUR"}, ""},
		{"till.Charge", "v3", `{"cents":5,"currency":"CHF"}`, payment{5, "CHF"}, ""},
		{"shop.Note", "v1", `{"text":"six"}`, noteArgs{"six"}, ""},
		{"shop.Note", "", `{"text":"seven"}`, noteArgs{"seven"}, ""},
		{"shop.Pay", "v1", `{"amount":"much"}`, nil, "converting them failed: no amount: much"},
		{"shop.Pay", "v2", `{"cents":-1}`, nil, "a negative amount"},
		{"shop.Pay", "v2", `{"cents":1,"more":1}`, nil, "has field more, which this build does not know"},
		{"shop.Pay", "v2", `{"cents":`, nil, "cannot be decoded"},
		{"shop.Pay", "v0", `{"cents":"7"}`, nil, "it is of v0, and since then: cents: string became int64"},
		{"shop.Pay", "v4", `{"cents":8,"currency":"EUR"}`, nil, "have the schema v4, which this build does not know"},
		{"shop.Note", "v3", `{"text":"nine"}`, nil, "have the schema v3, which this build does not know"},
		{"shop.Note", "v1", `{"text":7}`, nil, "field text is a number, this build wants string"},
	} {
		m := Message("work")
		m.Task, m.Schema, m.Body, m.Attempts = c.task, c.schema, []byte(c.body), 1
		Enqueue(t, b, m)
		if c.dead != "" {
			wantDead[m.ID] = c.dead
		} else {
			wantRun[m.ID] = c.run
		}
	}
	w, _ := start(t, b, dtask.WorkerConfig{KeepUnknown: time.Nanosecond}, table)
	for range len(wantRun) {
		r := <-ran
		if r.args != wantRun[r.id] {
			t.Errorf("ran with %+v, want %+v", r.args, wantRun[r.id])
		}
		delete(wantRun, r.id)
	}
	for _, m := range deadLetters(t, b, "work", len(wantDead)) {
		reason := m.Failures[len(m.Failures)-1].Error
		if want, ok := wantDead[m.ID]; !ok || !strings.Contains(reason, want) || m.Attempt != 1 {
			t.Errorf("dead letter of attempt %d with %s says %q, want %q", m.Attempt, m.Body, reason, want)
		}
	}
	Eventually(t, func() string { // an outcome may be stored, and not be counted yet
		if s := w.Stats(); s.Retried != 0 || int(s.Dead) != len(wantDead) {
			return fmt.Sprintf("stats %+v", s)
		}
		return ""
	})
	select {
	case r := <-ran:
		t.Errorf("ran with %+v what was not to run", r.args)
	default:
	}
	if _, err := dtask.NewWorker(dtask.NewClient(b), dtask.WorkerConfig{}, append(table, define("till.Charge", 0).Bind(nil))); err == nil || !strings.Contains(err.Error(), "till.Charge") {
		t.Errorf("a worker with a task and another that was it: error %v", err)
	}
}
