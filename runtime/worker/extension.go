package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// An Extension adds to worker programs what this package is to know nothing of, such as
// traces. Its package calls [Extend] in its init, and a program imports that package.
type Extension struct {
	// Name is its own. Extensions are started in the order of their names: the first
	// is the outermost.
	Name string

	// Start is called in each process that runs tasks or supervises others, when the
	// settings are known, and before the broker is opened. It returns nil if the
	// extension has nothing to do.
	Start func(Process) (*Extended, error)
}

// A Process is what an [Extension] is told of the process that it is started in.
type Process struct {
	Getenv     func(string) string
	Log        *slog.Logger
	Queues     map[string]int // that are consumed, and how many tasks of each run at once
	Supervisor bool           // the children of the process run the tasks
	Child      bool           // the process has a supervisor
	First      bool           // of the children, or the only process: what one is to do for all is done here
	Serves     bool           // probes are answered, here or by the supervisor

	URL     string // of the broker
	Tables  []dtask.Table
	Enqueue []dtask.EnqueueMiddleware // of the program

	Dashboard      string // the address of the flag -dashboard, or empty
	DashboardToken string
}

// DashboardExtension is the name of the extension that serves the dashboard.
const DashboardExtension = "dashboard"

// Extended is what an [Extension] adds to a process. What is nil adds nothing.
type Extended struct {
	// Opened is called with the client of the broker. It returns the client to use.
	Opened func(*dtask.Client) *dtask.Client

	// Middleware wraps the handling of every message, outside of the program's own. It
	// is made after Opened.
	Middleware dtask.Middleware

	// Made is called with the worker before it runs.
	Made func(*dtask.Worker)

	// Log returns the handler that takes the place of the log's.
	Log func(slog.Handler) slog.Handler

	// Handlers are served on the address of -health, by their patterns.
	Handlers map[string]http.Handler

	// Report is called in a child every second. What it returns is passed to the
	// supervisor.
	Report func() []byte

	// Remember is called in the supervisor when a child has ended. It returns what is
	// to be kept of its last report, together with what was kept before.
	Remember func(kept, last []byte) []byte

	// Children is called in the supervisor every second.
	Children func(Children)

	// Close is called when all else of the process has ended.
	Close func(context.Context) error
}

// Children is what a supervisor knows of its children.
type Children struct {
	Kept    []byte   // see Remember
	Reports [][]byte // the last ones of those that run
	Crashes int      // children that have died, and were not told to
}

var (
	extensionsMu sync.Mutex
	extensions   []Extension
)

// Extend adds an extension to all worker programs of this binary.
func Extend(e Extension) {
	extensionsMu.Lock()
	defer extensionsMu.Unlock()
	extensions = append(extensions, e)
	slices.SortStableFunc(extensions, func(a, b Extension) int { return cmp.Compare(a.Name, b.Name) })
}

// closeExtensions is how long the extensions may take to end, all together.
const closeExtensions = 5 * time.Second

// extended are the extensions of a process, by their names.
type extended struct {
	names []string
	all   []*Extended
}

// extend starts the extensions.
func (p *program) extend() error {
	extensionsMu.Lock()
	list := slices.Clone(extensions)
	extensionsMu.Unlock()
	if p.config.dashboard != "" && !slices.ContainsFunc(list, func(e Extension) bool { return e.Name == DashboardExtension }) {
		return errors.New("-dashboard: this program has none; import _ \"github.com/dtaskhq/dtask/runtime/dashboard/auto\"")
	}
	number := p.getenv(childEnv)
	process := Process{
		Getenv: p.getenv, Log: p.log, Queues: make(map[string]int),
		Supervisor: number == "" && p.config.processes > 0, Child: number != "",
		First: number == "" || number == "1", Serves: p.config.health != "",
		URL: p.config.url, Tables: p.tables, Enqueue: p.additions.EnqueueMiddleware,
		Dashboard: p.config.dashboard, DashboardToken: p.config.dashboardToken,
	}
	for _, q := range p.queueNames() {
		process.Queues[q] = cmp.Or(p.config.queues[q], p.config.concurrency)
	}
	for _, e := range list {
		started, err := e.Start(process)
		if err != nil {
			p.extended.close(p.log)
			return fmt.Errorf("%s: %w", e.Name, err)
		}
		if started == nil {
			continue
		}
		p.extended.names = append(p.extended.names, e.Name)
		p.extended.all = append(p.extended.all, started)
		if started.Log != nil {
			p.log = slog.New(started.Log(p.log.Handler()))
			process.Log = p.log
		}
	}
	return nil
}

// opened returns the client to use.
func (e *extended) opened(c *dtask.Client) *dtask.Client {
	for _, x := range slices.Backward(e.all) {
		if x.Opened != nil {
			c = x.Opened(c)
		}
	}
	return c
}

func (e *extended) middleware() (list []dtask.Middleware) {
	for _, x := range e.all {
		if x.Middleware != nil {
			list = append(list, x.Middleware)
		}
	}
	return list
}

func (e *extended) made(w *dtask.Worker) {
	for _, x := range e.all {
		if x.Made != nil {
			x.Made(w)
		}
	}
}

// report returns the reports to the supervisor, by extension.
func (e *extended) report() map[string][]byte {
	var reports map[string][]byte
	for i, x := range e.all {
		if x.Report == nil {
			continue
		}
		if reports == nil {
			reports = make(map[string][]byte)
		}
		reports[e.names[i]] = x.Report()
	}
	return reports
}

// remember adds the last reports of a child to those that are kept of others.
func (e *extended) remember(kept, last map[string][]byte) map[string][]byte {
	for i, x := range e.all {
		name := e.names[i]
		if x.Remember == nil || last[name] == nil {
			continue
		}
		if kept == nil {
			kept = make(map[string][]byte)
		}
		kept[name] = x.Remember(kept[name], last[name])
	}
	return kept
}

// children tells of the children of a supervisor.
func (e *extended) children(kept map[string][]byte, reports []map[string][]byte, crashes int) {
	for i, x := range e.all {
		if x.Children == nil {
			continue
		}
		c := Children{Kept: kept[e.names[i]], Crashes: crashes}
		for _, r := range reports {
			if r[e.names[i]] != nil {
				c.Reports = append(c.Reports, r[e.names[i]])
			}
		}
		x.Children(c)
	}
}

// close ends the extensions, the innermost first.
func (e *extended) close(log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), closeExtensions)
	defer cancel()
	for i, x := range slices.Backward(e.all) {
		if x.Close == nil {
			continue
		}
		if err := x.Close(ctx); err != nil {
			log.Warn("an extension has not ended well", "extension", e.names[i], "err", err)
		}
	}
	e.all = nil
}

// serves says what the extensions answer beside probes, for the log.
func (e *extended) serves(mux *http.ServeMux) string {
	var patterns []string
	for _, x := range e.all {
		for pattern, h := range x.Handlers {
			mux.Handle(pattern, h)
			patterns = append(patterns, pattern)
		}
	}
	slices.Sort(patterns)
	return strings.Join(patterns, ", ")
}
