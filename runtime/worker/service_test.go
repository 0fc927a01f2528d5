package worker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	dtask "github.com/dtaskhq/dtask/runtime"
)

// A worker that cannot consume ends with the error, scheduler and all.
func TestConsumeFails(t *testing.T) {
	dtask.RegisterBroker("worker-test", openUnconsumable)
	url := "worker-test:" + filepath.Join(t.TempDir(), "tasks.db")
	p := &program{
		name: "worker", getenv: func(string) string { return "" }, stdout: io.Discard, stderr: io.Discard,
		log:    slog.New(slog.DiscardHandler),
		tables: []dtask.Table{{greetTask.Bind(nil), purgeTask.Bind(nil)}},
	}
	var err error
	if p.config, err = parseConfig("worker", []string{"-url", url}, p.getenv); err != nil {
		t.Fatal(err)
	}
	if err := p.checkTables(); err != nil {
		t.Fatal(err)
	}
	if err := p.work(newStopper(), beatInterval, func(report) {}); err == nil || !strings.Contains(err.Error(), "no queue for you") {
		t.Errorf("error %v", err)
	}
}

// unconsumable is a broker of SQLite whose queues cannot be consumed.
type unconsumable struct{ dtask.Broker }

func openUnconsumable(ctx context.Context, url string) (dtask.Broker, error) {
	_, file, _ := strings.Cut(url, ":")
	b, err := dtask.OpenBroker(ctx, "sqlite:"+file)
	return unconsumable{b}, err
}

func (unconsumable) Consume(context.Context, dtask.ConsumeOptions) (dtask.Consumer, error) {
	return nil, errors.New("no queue for you")
}
