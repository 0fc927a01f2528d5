package worker

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/schema"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/sqlite"
)

// catalogue is a broker that wants to know the tasks.
type catalogue struct {
	*sqlite.Broker
	entered chan []broker.CatalogueTask
}

func (c catalogue) Catalogue(_ context.Context, tasks []broker.CatalogueTask) error {
	c.entered <- tasks
	return nil
}

// A worker tells a broker with a catalogue what it runs, once; the arguments of tasks by
// hand are not known.
func TestCatalogue(t *testing.T) {
	entered := make(chan []broker.CatalogueTask, 10)
	broker.Register("worker-catalogue", func(ctx context.Context, url string, c broker.Config) (broker.Broker, error) {
		_, file, _ := strings.Cut(url, ":")
		b, err := sqlite.Open(ctx, "sqlite:"+file, c)
		return catalogue{b, entered}, err
	})
	s, err := schema.Parse([]string{"to string"})
	if err != nil {
		t.Fatal(err)
	}
	greet := dtask.Define[struct{}, dtask.None]("shop.Greet", dtask.Spec{Queue: "mail", Retries: 5, Priority: dtask.PriorityLow, Schema: s.Fingerprint(), Fields: s.Lines()})
	p := &program{
		name: "worker", getenv: func(string) string { return "" }, stdout: io.Discard, stderr: io.Discard,
		log:    slog.New(slog.DiscardHandler),
		tables: []dtask.Table{{greet.Bind(nil), purgeTask.Bind(nil)}},
	}
	if p.config, err = parseConfig("worker", []string{"-url", "worker-catalogue:" + filepath.Join(t.TempDir(), "tasks.db")}, p.getenv); err != nil {
		t.Fatal(err)
	}
	if err := p.checkTables(); err != nil {
		t.Fatal(err)
	}
	stop := newStopper()
	ended := make(chan error)
	go func() { ended <- p.work(stop, beatInterval, func(report) {}) }()
	tasks := <-entered
	stop.begin()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if len(tasks) != 2 || len(entered) > 0 {
		t.Fatalf("entered %+v, and %d times more", tasks, len(entered))
	}
	if g := tasks[0]; g.Name != "shop.Greet" || g.Schema != s.Fingerprint() || string(g.Shape) != string(s.Shape()) || g.Queue != "mail" || g.Attempts != 6 || g.Priority != broker.PriorityLow {
		t.Errorf("entered %+v", g)
	}
	if tasks[1].Shape != nil {
		t.Errorf("the shape of what is made by hand: %s", tasks[1].Shape)
	}
}
