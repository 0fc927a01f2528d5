package console

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// note writes to the journal what two workers have seen in two minutes.
func note(t *testing.T, url string) {
	t.Helper()
	b, err := broker.Open(brokertest.Context(t), url, broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	journal, err := broker.As[broker.Journal](b)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Minute)
	for i, process := range []string{"a", "b"} {
		send := broker.Tally{Minute: now.Add(-time.Duration(i) * time.Minute), Queue: "mail", Task: "acme.org/shop/mail.Send", Done: 3, Dead: 1, Cancelled: 2}
		for range 4 {
			send.Waited.Add(5 * time.Millisecond)
			send.Ran.Add(300 * time.Millisecond)
		}
		send.AddFailure(broker.TallyFailure{Kind: broker.FailureError, Messages: 1, At: send.Minute, ID: "7", Error: "no \x1b[31muser 7"})
		scale := broker.Tally{Minute: now, Queue: "images", Task: "images.Scale", HandedBack: 2}
		if _, err := journal.Note(brokertest.Context(t), broker.Batch{Process: process, Serial: 1, Keep: time.Hour, Tallies: []broker.Tally{send, scale}}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestJournal(t *testing.T) {
	onBrokers(t, func(t *testing.T, url string, ids []string) {
		dtask(t, url, "journal").want(t, exitOK, `^none$`)
		note(t, url)
		dtask(t, url, "journal").want(t, exitOK, `^QUEUE +TASK +DONE +RETRIED +DEAD +BACK +WAITED +RAN +NEWEST FAILURE$`,
			`^images +images.Scale +0 +0 +0 +4 +- +-$`, `^mail +mail.Send +6 +0 +2 +0 +<8ms +<512ms +error: no \\x1b\[31muser 7$`)
		dtask(t, url, "journal", "--task", "mail.*", "--minutes").want(t, exitOK, `^MINUTE `, `^\d\d-\d\d \d\d:\d\d +mail +mail.Send +3 `)
		dtask(t, url, "journal", "--failures").want(t, exitOK, `^mail +mail.Send +2 +\d+[ms] +7 +error +no `)
		dtask(t, url, "journal", "--since", "soon").want(t, exitUsage, `write it as 90s, 15m, 36h or 7d`)
		dtask(t, url, "journal", "--acts", "-f").want(t, exitUsage, `--since alone`)
		dtask(t, url, "journal", "-f", "-o", "csv").want(t, exitUsage, `jsonl`)

		var records []struct {
			Minute    *time.Time
			Task      string
			Done      int
			Cancelled int
			Waited    struct {
				Messages    int
				MostBelowMS int `json:"p95_below_ms"`
				Buckets     []map[string]int
			}
			Failures []broker.TallyFailure
		}
		if r := dtask(t, url, "journal", "--task", "mail.Send", "-o", "json"); json.Unmarshal([]byte(r.out), &records) != nil || len(records) != 1 {
			t.Fatalf("-o json: %+v", r)
		}
		if r := records[0]; r.Minute != nil || r.Done != 6 || r.Cancelled != 4 || r.Waited.Messages != 8 || r.Waited.MostBelowMS != 8 || len(r.Waited.Buckets) != 1 || r.Waited.Buckets[0]["below_ms"] != 8 || len(r.Failures) != 1 {
			t.Errorf("record %+v", r)
		}
		if r := dtask(t, url, "journal", "-o", "csv"); !strings.HasPrefix(r.out, "queue,task,done,retried,dead,snoozed,handed_back,cancelled,waited_p95_below_ms,ran_p95_below_ms,failure\nimages,images.Scale,0,") {
			t.Errorf("-o csv: %q", r.out)
		}

		dtask(t, url, "journal", "--acts").want(t, exitOK, `^none$`)
		dtask(t, url, "dead", "retry", "args.user.id:2", "--yes").want(t, exitOK)
		dtask(t, url, "journal", "--acts").want(t, exitOK, `^WHEN +WHO +FROM +DID +ON +OF +CHANGED +SKIPPED +ENDED$`, `^\d\d-\d\d \d\d:\d\d:\d\d +\S+.* retried +state:dead args.user.id:… +1 +1 +0 +well$`)
	})
}

// A follower prints what is new, until it is interrupted.
func TestJournalFollow(t *testing.T) {
	t.Parallel()
	url := "sqlite:" + filepath.Join(t.TempDir(), "tasks.db")
	ctx, cancel := context.WithCancel(brokertest.Context(t))
	defer cancel()
	var out, errs bytes.Buffer
	p := &Program{Name: "dtask", Getenv: func(string) string { return url }, Err: &errs, Open: openQuietly}
	p.Out = writerFunc(func(b []byte) (int, error) {
		out.Write(b)
		cancel()
		return len(b), nil
	})
	noted := make(chan error, 1)
	go func() { noted <- noteUntil(ctx, url) }()
	code := p.Run(ctx, []string{"journal", "-f", "--task", "mail.*"})
	if err := <-noted; err != nil {
		t.Error(err)
	}
	if code != exitOK || !strings.Contains(out.String(), " cancelled") || strings.Contains(out.String(), "images") {
		t.Errorf("exit code %d, output %s, errors %s", code, out.String(), errs.String())
	}
}

func openQuietly(ctx context.Context, url string) (broker.Broker, error) {
	return broker.Open(ctx, url, broker.Config{Logger: slog.New(slog.DiscardHandler)})
}

// noteUntil adds to the journal until ctx ends.
func noteUntil(ctx context.Context, url string) error {
	b, err := openQuietly(ctx, url)
	if err != nil {
		return err
	}
	defer b.Close()
	journal, err := broker.As[broker.Journal](b)
	for serial := int64(1); err == nil; serial++ {
		minute := time.Now().Truncate(time.Minute)
		_, err = journal.Note(ctx, broker.Batch{Process: "follow", Serial: serial, Keep: time.Hour, Tallies: []broker.Tally{
			{Minute: minute, Queue: "images", Task: "images.Scale", Done: 1},
			{Minute: minute, Queue: "mail", Task: "mail.Send", Done: 1, Cancelled: 2},
		}})
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(500 * time.Millisecond):
		}
	}
	return err
}
