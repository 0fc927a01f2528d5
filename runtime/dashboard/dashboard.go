package dashboard

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// A Config says how a dashboard looks, and who may use it. Its zero value is a page for
// reading.
type Config struct {
	// Name stands beside the name of dtask, for those who look at several brokers:
	// production, say.
	Name string

	// Authorize says who asks, and what they may do. After an error they see nothing;
	// the error is logged, and not shown. It is called for every request.
	Authorize func(*http.Request) (Access, error)

	// Token is a secret of at least 16 characters. Who knows it may do everything, and
	// nobody else sees anything. It is for where there is no Authorize.
	Token string

	// Enqueue wraps what is enqueued on the pages.
	Enqueue []dtask.EnqueueMiddleware

	// Logger gets what goes wrong here. It is the client's if it is nil.
	Logger *slog.Logger
}

// minToken is how many characters of a token nobody guesses.
const minToken = 16

// A Dashboard is the handler. It is safe for concurrent use.
type Dashboard struct {
	config     Config
	broker     broker.Broker
	operator   *operate.Operator
	own        []operate.Task // of the tables: their types are known
	looks      *looks
	notes      notes
	plans      plans
	operations *operate.Operations
	gate       gate
	seal       seal
	log        *slog.Logger
	handler    http.Handler
	patience   time.Duration // of a page

	ctx   context.Context // ends at Close
	stop  context.CancelFunc
	mu    sync.Mutex     // of using: nobody joins it after Close
	using sync.WaitGroup // goroutines that use the broker
}

// New returns the dashboard of a client's broker. Of the tasks in the tables it knows the
// types; of others what their workers tell. Close it before the client.
func New(client *dtask.Client, c Config, tables ...dtask.Table) (*Dashboard, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	var own []operate.Task
	for _, t := range tables {
		own = append(own, operate.Own(t, c.Enqueue...)...)
	}
	d := &Dashboard{config: c, broker: client.Broker(), operator: operate.New(client.Broker(), own...), own: own, log: cmp.Or(c.Logger, client.Logger()), patience: pagePatience}
	d.operations = operate.NewOperations(d.operator)
	d.ctx, d.stop = context.WithCancel(context.Background())
	d.gate, d.seal = newGate(c, d.log), newSeal(c.Token)
	d.looks = newLooks(d)
	d.handler = http.NewCrossOriginProtection().Handler(d.routes())
	return d, nil
}

// check reports what is wrong with the configuration.
func (c Config) check() error {
	switch {
	case c.Token != "" && c.Authorize != nil:
		return errors.New("dashboard: a Token is for where there is no Authorize; set one of them")
	case c.Token != "" && len(c.Token) < minToken:
		return errors.New("dashboard: the token is short enough to be guessed; use 16 characters or more, as of: openssl rand -hex 16")
	}
	return nil
}

// Close ends open pages, stops the operations that were begun on them, and waits until all
// of that is over.
func (d *Dashboard) Close() {
	d.operations.Close()
	d.mu.Lock()
	d.stop()
	d.mu.Unlock()
	d.using.Wait()
}

// background runs f, which ends soon after d.ctx, and reports whether it does: not after
// Close.
func (d *Dashboard) background(f func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx.Err() != nil {
		return false
	}
	d.using.Go(f)
	return true
}

// maxForm is how large a form may be: arguments have up to a megabyte, and are escaped.
const maxForm = 4 << 20

// ServeHTTP answers a request. The path is as http.StripPrefix leaves it.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range headers {
		w.Header().Set(name, value)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	d.handler.ServeHTTP(w, r)
}

// headers are those of every answer. The policy of referrers is not stricter, for a
// browser would then send no origin with a form, by which a foreign one is told.
var headers = map[string]string{
	"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; " +
		"img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "same-origin",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-store",
}
