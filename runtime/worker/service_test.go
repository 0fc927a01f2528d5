package worker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/sqlite"
)

// A worker that cannot consume ends with the error, and its scheduler ends, too.
func TestConsumeFails(t *testing.T) {
	broker.Register("worker-test", openUnconsumable)
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
type unconsumable struct{ *sqlite.Broker }

func openUnconsumable(ctx context.Context, url string, c broker.Config) (broker.Broker, error) {
	_, file, _ := strings.Cut(url, ":")
	b, err := sqlite.Open(ctx, "sqlite:"+file, c)
	return unconsumable{b}, err
}

func (unconsumable) Consume(context.Context, broker.ConsumeOptions) (broker.Consumer, error) {
	return nil, errors.New("no queue for you")
}

// bare is a broker with no capability at all.
type bare struct {
	broker.Broker
	closed bool
}

func (b *bare) Close() error { b.closed = true; return nil }

// A broker that cannot do what a worker needs of it is refused, and closed.
func TestBareBroker(t *testing.T) {
	b := new(bare)
	broker.Register("bare", func(context.Context, string, broker.Config) (broker.Broker, error) { return b, nil })
	p := &program{log: slog.New(slog.DiscardHandler), config: &config{url: "bare:"}, tables: []dtask.Table{{greetTask.Bind(nil)}}}
	if _, err := p.newService(t.Context()); !errors.Is(err, dtask.ErrUnsupported) || !b.closed {
		t.Errorf("error %v, closed %v", err, b.closed)
	}
}

// The middleware that a program adds sees its messages.
func TestAdditions(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "tasks.db")
	client, err := dtask.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := greetTask.Delay(dtask.NewContext(t.Context(), client), greetArgs{"Ada"}); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var seen []string
	note := func(text string) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, text)
	}
	p := &program{
		name: "worker", getenv: func(string) string { return "" }, stdout: io.Discard, stderr: io.Discard,
		tables: []dtask.Table{{
			greetTask.Bind(func(ctx context.Context, _ greetArgs) (dtask.None, error) {
				_, err := purgeTask.Delay(ctx, struct{}{})
				return dtask.None{}, err
			}),
			purgeTask.Bind(func(context.Context, struct{}) (dtask.None, error) { return dtask.None{}, nil }),
		}},
		additions: Program{
			Middleware: []dtask.Middleware{func(next dtask.HandleFunc) dtask.HandleFunc {
				return func(ctx context.Context, m *dtask.Message) dtask.Outcome {
					note("handle " + m.Task)
					return next(ctx, m)
				}
			}},
			EnqueueMiddleware: []dtask.EnqueueMiddleware{func(next dtask.EnqueueFunc) dtask.EnqueueFunc {
				return func(ctx context.Context, ms []*dtask.Message) []error {
					note("enqueue " + ms[0].Task)
					return next(ctx, ms)
				}
			}},
		},
	}
	if code := p.run([]string{"-drain", "-url", url}); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	want := []string{"handle mail.Greet", "enqueue mail.Purge", "handle mail.Purge"}
	if !slices.Equal(seen, want) {
		t.Errorf("seen %q, want %q", seen, want)
	}
}
