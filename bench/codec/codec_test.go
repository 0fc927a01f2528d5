// Package codec measures what a task costs outside of its broker: encoding the
// arguments, making the message, decoding it, and calling the function.
//
//	go test -bench . -benchmem ./codec
package codec

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/dtasktest"
)

// order is the struct of the table of codecs: a string, an int64, a time.Time,
// a []string and a struct of five fields. It has 234 bytes in JSON.
type order struct {
	Email  string    `json:"email"`
	UserID int64     `json:"user_id"`
	At     time.Time `json:"at"`
	Tags   []string  `json:"tags"`
	Ship   address   `json:"ship"`
}

type address struct {
	Street  string  `json:"street"`
	City    string  `json:"city"`
	Zip     string  `json:"zip"`
	Country string  `json:"country"`
	Weight  float64 `json:"weight"`
}

// orderArgs is what dtaskgen generates for func(ctx, o order) error.
type orderArgs struct {
	Order order `json:"order"`
}

var sample = order{
	Email:  "grace@example.com",
	UserID: 90071992547,
	At:     time.Date(2026, 11, 23, 9, 30, 15, 123456789, time.UTC),
	Tags:   []string{"express", "gift", "fragile"},
	Ship:   address{Street: "12 Analytical Engine Str.", City: "London", Zip: "SW1A 1AAA", Country: "GB", Weight: 1.25},
}

// A nullBroker hands every message straight to a worker.
type nullBroker struct {
	broker.Broker // what is not called
	worker        *dtask.Worker
	delivery      delivery
}

type delivery struct {
	message    *broker.Message
	settlement broker.Settlement
}

func (d *delivery) Message() *broker.Message   { return d.message }
func (d *delivery) Cancelled() bool            { return false }
func (d *delivery) Settle(s broker.Settlement) { d.settlement = s }

func (b *nullBroker) Enqueue(ctx context.Context, m *broker.Message) error {
	b.delivery.message = m
	dtasktest.Process(ctx, b.worker, &b.delivery)
	return nil
}

// BenchmarkTask is the whole way: Delay → message → worker → function.
func BenchmarkTask(b *testing.B) {
	args := orderArgs{sample}
	var got order
	calls := 0
	task := dtask.Define[orderArgs, dtask.None]("bench.Order", dtask.Spec{
		Queue: "default", Retries: 5, Backoff: 2 * time.Second, Schema: "0123456789abcdef",
	})
	table := dtask.Table{task.Bind(func(_ context.Context, args orderArgs) (dtask.None, error) {
		got = args.Order
		calls++
		return dtask.None{}, nil
	})}
	null := new(nullBroker)
	client := dtask.NewClient(null)
	quiet := slog.New(slog.DiscardHandler)
	var err error
	if null.worker, err = dtask.NewWorker(client, dtask.WorkerConfig{Logger: quiet}, table); err != nil {
		b.Fatal(err)
	}
	ctx := dtask.NewContext(b.Context(), client)

	b.ReportAllocs()
	runs := 0
	for b.Loop() {
		runs++
		if _, err := task.Delay(ctx, args); err != nil {
			b.Fatal(err)
		}
	}
	if calls != runs || null.delivery.settlement.Verdict != broker.Done || got.Email != sample.Email || !got.At.Equal(sample.At) {
		b.Fatalf("executed %d of %d, last verdict %v, got %+v", calls, runs, null.delivery.settlement.Verdict, got)
	}
}

// BenchmarkStandardJSON is the encoding and decoding alone, by encoding/json.
func BenchmarkStandardJSON(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		body, err := json.Marshal(&orderArgs{sample})
		if err != nil {
			b.Fatal(err)
		}
		var got orderArgs
		if err := json.Unmarshal(body, &got); err != nil {
			b.Fatal(err)
		}
	}
}

// TestSampleSize keeps the sample at the size of the table.
func TestSampleSize(t *testing.T) {
	if body, _ := json.Marshal(sample); len(body) != 234 {
		t.Errorf("the sample has %d bytes: %s", len(body), body)
	}
}
