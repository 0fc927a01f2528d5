package brokertest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/schema"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

type sealedArgs struct {
	Name string `json:"name"`
	Key  string `json:"key"`
}

// What attempts log is kept with the failures of their own messages: the newest of it, and
// no secrets; by workers that are told to.
func testWorkerLogs(t *testing.T, store Store) {
	b := open(t, store(t))
	ctx := dtask.NewContext(Context(t), dtask.NewClient(b))
	fields, err := schema.Parse([]string{"name string", "key string, secret"})
	if err != nil {
		t.Fatal(err)
	}
	const key = "open \"sesame\""
	spec := dtask.Spec{Queue: "work", Retries: 1, Backoff: time.Millisecond, Schema: fields.Fingerprint(), Fields: fields.Lines()}
	task := dtask.Define[sealedArgs, dtask.None]("logs", spec)
	program := slog.New(dtask.LogHandler(slog.DiscardHandler)) // the log of a program
	bound := task.Bind(func(ctx context.Context, a sealedArgs) (dtask.None, error) {
		info, _ := dtask.InfoFromContext(ctx)
		log := dtask.Logger(ctx).With("name", a.Name).WithGroup("g")
		log.Info(fmt.Sprint("attempt ", info.Attempt), "key", a.Key, "n", 7)
		log.Debug("not kept")
		program.WarnContext(ctx, "by slog\nin two lines")
		slog.New(dtask.LogHandler(dtask.Logger(ctx).Handler())).InfoContext(ctx, "once")
		if a.Name == "loud" {
			for i := range 3000 {
				log.Info("line "+strings.Repeat("é", 20), "i", i)
			}
		}
		return dtask.None{}, errors.New("failed")
	})
	logs := func(config dtask.WorkerConfig) map[string][]broker.Failure {
		t.Helper()
		ids := make(map[string]string)
		for _, name := range []string{"loud", "calm"} {
			h, err := task.Delay(ctx, sealedArgs{name, key})
			if err != nil {
				t.Fatal(err)
			}
			ids[h.ID] = name
		}
		_, stop := start(t, b, config, dtask.Table{bound})
		failures := make(map[string][]broker.Failure)
		Eventually(t, func() string {
			if s := State(t, b, "work"); s.Dead != 2 {
				return fmt.Sprintf("state %+v", s)
			}
			return ""
		})
		stop()
		for _, m := range deadLetters(t, b, "work", 2) {
			failures[ids[m.ID]] = m.Failures
		}
		if _, err := as[broker.Admin](t, b).DeleteDead(ctx, "work"); err != nil {
			t.Fatal(err)
		}
		return failures
	}

	kept := logs(dtask.WorkerConfig{KeepLogs: true})
	for name, fs := range kept {
		if len(fs) != 2 {
			t.Fatalf("%s has %d failures", name, len(fs))
		}
	}
	for i, f := range kept["calm"] {
		want := fmt.Sprintf("level=INFO msg=\"attempt %d\" name=calm g.key=\"***\" g.n=7\n", i+1)
		lines := strings.SplitAfterN(f.Log, " ", 2)
		if len(lines) != 2 || !strings.HasPrefix(lines[1], want) || strings.Count(f.Log, "once") != 1 || strings.Count(f.Log, "\n") != 3 || !strings.Contains(f.Log, `level=WARN msg="by slog\nin two lines"`) {
			t.Errorf("attempt %d has logged\n%s\nwant\n%s", i+1, f.Log, want)
		}
	}
	first, newest := kept["loud"][0].Log, kept["loud"][1].Log
	if len(newest) < 10_000 || len(first)+len(newest) > broker.MaxLogSize || !strings.HasPrefix(newest, broker.LogCut) || !strings.HasSuffix(newest, "g.i=2999\n") || strings.Contains(newest, "sesame") {
		t.Errorf("%d and %d bytes are kept:\n%.200s", len(first), len(newest), newest)
	}
	for name, fs := range logs(dtask.WorkerConfig{}) {
		if fs[0].Log+fs[1].Log != "" {
			t.Errorf("%s: kept, though nobody has said so: %+v", name, fs)
		}
	}
}
