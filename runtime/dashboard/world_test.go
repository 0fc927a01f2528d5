package dashboard_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/schema"
	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/dashboard"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/operate"
	_ "github.com/dtaskhq/dtask/runtime/postgres"
	_ "github.com/dtaskhq/dtask/runtime/rabbitmq"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
	"github.com/dtaskhq/dtask/runtime/worker"
)

// The two services of the tests, each a program with workers of its own: this test
// binary, started again.
const (
	serviceEnv = "DTASK_DASHBOARD_SERVICE"
	shop       = "shop"   // mail and billing
	studio     = "studio" // images
)

func TestMain(m *testing.M) {
	switch os.Getenv(serviceEnv) {
	case shop:
		worker.Main(shopTasks())
	case studio:
		worker.Main(studioTasks())
	}
	code := m.Run()
	if chromium.Browser != nil {
		chromium.Close() // what it leaves in the folder for temporary files is no matter
	}
	os.Exit(code)
}

// User is a part of arguments.
type User struct {
	ID    int64  `json:"id"`
	Token string `json:"token"`
}

// SendArgs are those of mail.Send.
type SendArgs struct {
	To       string     `json:"to"`
	User     User       `json:"user"`
	Since    *time.Time `json:"since"`
	Channels []string   `json:"channels"`
	Loud     bool       `json:"loud"`
}

var (
	send = dtask.Define[SendArgs, dtask.None]("acme.org/shop/mail.Send", func() dtask.Spec {
		s := spec("mail", 2, "to string", "user User", "since *time.Time", "channels []string", "loud bool", "User.id int64", "User.token string, secret")
		s.Doc = "Send sends a letter. It is sent\nonce.\n\nAnd no more."
		return s
	}())
	charge = dtask.Define[chargeArgs, dtask.None]("acme.org/shop/billing.Charge", spec("billing", 1, "invoice string", "cents int64"))
	weekly = dtask.Define[struct{}, dtask.None]("acme.org/shop/mail.Weekly", func() dtask.Spec {
		s := spec("mail", 0)
		s.Cron = "CRON_TZ=Europe/Berlin 0 7 * * 1"
		return s
	}())
	thumbnail = dtask.Define[thumbnailArgs, dtask.None]("acme.org/studio/pictures.Thumbnail", spec("images", 1, "key string", "width int"))
)

type chargeArgs struct {
	Invoice string `json:"invoice"`
	Cents   int64  `json:"cents"`
}

type thumbnailArgs struct {
	Key   string `json:"key"`
	Width int    `json:"width"`
}

func spec(queue string, retries int, fields ...string) dtask.Spec {
	s, err := schema.Parse(fields)
	if err != nil {
		panic(err)
	}
	return dtask.Spec{Queue: queue, Retries: retries, Timeout: time.Minute, Backoff: time.Hour, Schema: s.Fingerprint(), Fields: s.Lines(), Module: "acme.org"}
}

func shopTasks() dtask.Table {
	return dtask.Table{
		send.Bind(func(_ context.Context, a SendArgs) (dtask.None, error) {
			if strings.HasSuffix(a.To, "@exmaple.com") {
				return dtask.None{}, dtask.Permanent(fmt.Errorf("550 5.1.1 <%s>: Recipient address rejected: Domain not found", a.To))
			}
			return dtask.None{}, nil
		}),
		charge.Bind(func(ctx context.Context, a chargeArgs) (dtask.None, error) {
			switch a.Invoice {
			case "slow":
				<-ctx.Done()
				return dtask.None{}, ctx.Err()
			case "down":
				return dtask.None{}, errors.New("dial tcp 10.4.2.19:587: connect: connection refused")
			}
			return dtask.None{}, nil
		}),
		weekly.Bind(func(context.Context, struct{}) (dtask.None, error) { return dtask.None{}, nil }),
	}
}

func studioTasks() dtask.Table {
	return dtask.Table{thumbnail.Bind(func(_ context.Context, a thumbnailArgs) (dtask.None, error) {
		if strings.HasSuffix(a.Key, ".heic") {
			panic(fmt.Sprintf("index out of range [%d] with length %d", a.Width, a.Width))
		}
		return dtask.None{}, nil
	})}
}

// A world is a broker with the dashboard over it, and a browser without script.
type world struct {
	t      *testing.T
	url    string
	client *dtask.Client
	board  *dashboard.Dashboard
	server *httptest.Server
	page   string // the prefix
}

// brokers are the URLs of fresh brokers.
var brokers = map[string]func(t *testing.T) string{
	"SQLite":     func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "tasks.db") },
	"RabbitMQ":   func(t *testing.T) string { return rabbittest.URL(t) },
	"PostgreSQL": func(t *testing.T) string { return postgrestest.URL(t) },
}

// everything lets ana do everything.
func everything(*http.Request) (dashboard.Access, error) {
	return dashboard.Access{User: "ana", May: dashboard.Everything}, nil
}

// newWorld opens the broker at a URL, and a dashboard under a prefix.
func newWorld(t *testing.T, url string, c dashboard.Config) *world {
	t.Helper()
	client, err := dtask.Open(brokertest.Context(t), url)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, url: url, client: client}
	if w.board, err = dashboard.New(client, c, shopTasks(), studioTasks()); err != nil {
		t.Fatal(err)
	}
	w.board.Wait(5 * time.Second)
	mux := http.NewServeMux()
	mux.Handle("/admin/tasks/", http.StripPrefix("/admin/tasks", w.board))
	w.server = httptest.NewServer(mux)
	w.page = w.server.URL + "/admin/tasks/"
	t.Cleanup(func() {
		w.board.Close()
		w.server.Close()
		client.Close()
	})
	return w
}

// onSQLite is a world on a file of its own, in which ana may do everything.
func onSQLite(t *testing.T) *world {
	return newWorld(t, brokers["SQLite"](t), dashboard.Config{Name: "production", Authorize: everything})
}

// serve starts a worker of a service, and waits until the broker knows it.
func (w *world) serve(service string, args ...string) *exec.Cmd {
	w.t.Helper()
	before := len(w.workers())
	c := exec.Command(os.Args[0], append([]string{"-url", w.url, "-grace", "1s"}, args...)...)
	c.Env = append(os.Environ(), serviceEnv+"="+service)
	var log bytes.Buffer
	c.Stderr = &log
	if err := c.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		c.Process.Signal(os.Interrupt)
		c.Wait()
		if w.t.Failed() {
			w.t.Logf("log of %s:\n%s", service, log.String())
		}
	})
	brokertest.Eventually(w.t, func() string {
		if n := len(w.workers()); n <= before {
			return fmt.Sprintf("%d workers", n)
		}
		return ""
	})
	return c
}

func (w *world) workers() []broker.Process {
	ps, err := w.operator().Workers(brokertest.Context(w.t))
	if err != nil {
		w.t.Fatal(err)
	}
	return ps
}

func (w *world) operator() *operate.Operator {
	return operate.New(w.client.Broker(), operate.Own(shopTasks())...)
}

// ctx is a context in which tasks are enqueued here.
func (w *world) ctx() context.Context {
	return dtask.NewContext(brokertest.Context(w.t), w.client)
}

func (w *world) send(to string, opts ...dtask.Option) string {
	w.t.Helper()
	h, err := send.Delay(w.ctx(), SendArgs{To: to, User: User{ID: 9007199254740993, Token: "s3cret-of-ana"}, Channels: []string{"weekly", "news"}}, opts...)
	if err != nil {
		w.t.Fatal(err)
	}
	return h.ID
}

func (w *world) charge(invoice string, opts ...dtask.Option) string {
	w.t.Helper()
	h, err := charge.Delay(w.ctx(), chargeArgs{invoice, 1299}, opts...)
	if err != nil {
		w.t.Fatal(err)
	}
	return h.ID
}

func (w *world) thumbnail(key string, opts ...dtask.Option) string {
	w.t.Helper()
	h, err := thumbnail.Delay(w.ctx(), thumbnailArgs{key, 480}, opts...)
	if err != nil {
		w.t.Fatal(err)
	}
	return h.ID
}

// state waits for a state of a queue.
func (w *world) state(queue string, want func(broker.QueueState) bool) {
	w.t.Helper()
	brokertest.Eventually(w.t, func() string {
		if s := brokertest.State(w.t, w.client.Broker(), queue); !want(s) {
			return fmt.Sprintf("%+v", s)
		}
		return ""
	})
}

// get reads a page, which must answer with the status; 0 is for any.
func (w *world) get(status int, path string) string {
	w.t.Helper()
	r, err := http.Get(w.page + path)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.read(r, status, path)
}

// post sends a form as a browser does, and returns the page that it leads to.
func (w *world) post(status int, path string, pairs ...string) string {
	w.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r, err := http.PostForm(w.page+path, form)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.read(r, status, path)
}

func (w *world) read(r *http.Response, status int, path string) string {
	w.t.Helper()
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if r.StatusCode != status && status != 0 {
		w.t.Fatalf("%s: %s\n%s", path, r.Status, seen(string(text)))
	}
	return string(text)
}

var (
	unseen = regexp.MustCompile(`(?s)<head>.*?</head>|<svg.*?</svg>|<nav.*?</nav>|<header.*?</header>|<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
)

// seen returns what a page says: the text of its main part, with single spaces.
func seen(page string) string {
	text := unseen.ReplaceAllString(page, " ")
	for from, to := range map[string]string{"&#39;": "'", "&#34;": `"`, "&lt;": "<", "&gt;": ">", "&amp;": "&"} {
		text = strings.ReplaceAll(text, from, to)
	}
	return strings.TrimSpace(spaces.ReplaceAllString(text, " "))
}

// want waits until a page says all of these, one after the other.
func (w *world) want(path string, parts ...string) string {
	w.t.Helper()
	var page string
	brokertest.Eventually(w.t, func() string {
		page = w.get(200, path)
		return missing(page, parts...)
	})
	return page
}

// missing returns which of the parts a page does not say, in this order.
func missing(page string, parts ...string) string {
	text := seen(page)
	rest := text
	for _, p := range parts {
		i := strings.Index(rest, p)
		if i < 0 {
			return fmt.Sprintf("the page does not say %q (in this order) but:\n%s", p, text)
		}
		rest = rest[i+len(p):]
	}
	return ""
}

func (w *world) says(page string, parts ...string) {
	w.t.Helper()
	if complaint := missing(page, parts...); complaint != "" {
		w.t.Error(complaint)
	}
}
