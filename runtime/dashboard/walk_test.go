package dashboard_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dashboard"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// Every page and the most wanted acts, on every broker: what one cannot tell, it says.
func TestWalk(t *testing.T) {
	for name, url := range brokers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, url(t), dashboard.Config{Authorize: everything})
			w.serve(shop)
			w.serve(studio)
			w.want("", "All is well.")
			mended, deleted := w.send("ana@exmaple.com"), w.send("li@exmaple.com")
			slow := w.charge("slow")
			w.charge("paid")
			w.thumbnail("beach.png")
			w.thumbnail("later.png", dtask.In(time.Hour))
			for i := range 3 {
				w.thumbnail("waits.png", dtask.Queue([]string{"attic", "cellar", "attic"}[i]))
			}
			w.want("", "mail.Send: 2 dead letters in the last hour", "Done, last hour 2", "Failed, last hour 2", "Waiting now 3", "Dead letters 2", "error 2")
			page := w.want("queues", "attic", "2", "cellar", "1", "mail 1 worker 0")
			if name == "RabbitMQ" {
				w.says(page, "not known", "what it does not say is not known")
			} else {
				w.says(page, "Counts are exact")
			}

			page = w.want("messages", "550 5.1.1")
			if name == "RabbitMQ" {
				w.says(page, "2 dead letters here.", "waiting 3", "delayed not known", "dead 2", "The broker cannot list them all.", "Look at the first 100 of attic")
				w.says(w.post(200, "messages/peek", "queue", "attic"), "The first 2 messages of attic that wait.", "key=waits.png")
			} else {
				w.says(page, "7 messages.", "waiting 3", "running 1", "delayed 1", "dead 2")
			}
			w.want("dead", "2 in one group.", "Recipient address rejected")
			w.want("workers", "2 workers, 1 of 30 slots busy.", "billing.Charge")
			w.want("schedules", "every Monday at 07:00, Berlin")
			w.get(200, "deploy")
			w.get(200, "catalogue")

			w.says(w.post(200, "queues/pause", "queue", "images", "for", "1h"), "images is paused until", "images paused until")
			w.says(w.post(200, "queues/resume", "queue", "images"), "images goes on.")
			w.says(w.post(200, "workers/cancel", "id", slow), "to end, where it runs.")
			w.want("workers", "0 of 30 slots busy.")
			page = w.want("message/"+mended, "dead", "Attempt 1: dead")
			form := inputs(page)
			form["form-value:/to"] = "ana@example.com"
			w.post(0, "message/"+mended+"/edit", pairs(form, "retry", "1")...)
			w.post(0, "message/"+deleted+"/delete")
			w.state("mail", func(s broker.QueueState) bool { return s.Dead == 0 && s.Ready == 0 && s.Running <= 0 })
			w.want("dead", "There is no dead letter.")
			w.want("history", "deleted", "ana")
			if _, err := w.operator().Message(w.ctx(), mended); !errors.Is(err, broker.ErrNoMessage) {
				t.Errorf("the mended message: %v", err)
			}
		})
	}
}

// No page takes what somebody has put into a name, an argument, an error or a header for a
// part of itself.
func TestNoScript(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	w.serve(shop)
	w.serve(studio)
	for _, script := range scripts {
		w.send(script+"@exmaple.com", dtask.Header("x", script))
		w.charge(script, dtask.In(time.Hour))
	}
	evil := dtask.Define[map[string]string, dtask.None]("acme.org/evil.<script>alert(1)</script>", dtask.Spec{Queue: "evil", Schema: "<b>", Fields: nil})
	if _, err := evil.Delay(w.ctx(), map[string]string{"<script>alert(1)</script>": "x"}); err != nil {
		t.Logf("the name of a task: %v", err)
	}
	w.state("mail", func(s broker.QueueState) bool { return s.Dead == len(scripts) })
	paths := append([]string{
		"deploy", "catalogue", "history", "messages?q=%3Cscript%3Ealert(1)%3C/script%3E", "dead?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
		"messages?after=%3Cscript%3E", "?span=%3Cscript%3Ealert(1)%3C/script%3E", "?did=%3Cscript%3Ealert(1)%3C/script%3E",
	}, pages...)
	for m, err := range w.operator().Messages(w.ctx(), deadOrNot, 0) {
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, "message/"+m.Message.ID)
	}
	if len(paths) < 2*len(scripts) {
		t.Fatalf("%d pages", len(paths))
	}
	for _, path := range paths {
		w.harmless(path, w.get(0, path))
	}
	for _, script := range scripts {
		w.harmless("find "+script, w.post(0, "messages/find", "q", script))
		w.harmless("pause "+script, w.post(0, "queues/pause", "queue", script, "for", script))
		w.harmless("many "+script, w.post(0, "many", "do", script, "query", script, "page", "dead", "fault", script))
		w.harmless("run "+script, w.post(0, "schedules/run", "schedule", script))
		w.harmless("quiet "+script, w.post(0, "workers/quiet", "worker", script))
		w.harmless("path "+script, w.get(0, "message/"+strings.NewReplacer("/", "%2f", "%", "%25", "#", "%23", "?", "%3f", "\n", "%0a", "\x00", "%00").Replace(script)))
	}
}

// scripts are what an attacker would try.
var scripts = []string{
	`<script>alert(1)</script>`, `"><script>alert(1)</script>`, `'><img src=x onerror=alert(1)>`, `</textarea><script>alert(1)</script>`,
	`</title><script>alert(1)</script>`, `"autofocus onfocus="alert(1)`, `javascript:alert(1)`, `<svg/onload=alert(1)>`, `{{.}}{{template "frame"}}`,
	"\u2028<script>alert(1)</script>", `--><script>alert(1)</script>`, `]]><script>alert(1)</script>`, `<a href="data:text/html,x">`, `hx-on:click=alert(1)`,
	`" hx-get="/x" hx-trigger="load`,
}

// harmless fails if a page has a script, a handler or an address that is not its own.
func (w *world) harmless(what, page string) {
	w.t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		w.t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if slices.Contains([]string{"img", "iframe", "object", "embed", "base", "style"}, n.Data) || n.Data == "script" && n.FirstChild != nil {
			w.t.Errorf("%s: the page has an element %s", what, n.Data)
		}
		for _, a := range n.Attr {
			own := strings.HasPrefix(a.Val, "./") || strings.HasPrefix(a.Val, "../") || !strings.Contains(a.Val, ":") && !strings.HasPrefix(a.Val, "//")
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "autofocus",
				strings.HasPrefix(a.Key, "hx-") && !slices.Contains([]string{"hx-sse:connect", "hx-swap", "hx-morph-skip"}, a.Key):
				w.t.Errorf("%s: %s has the attribute %s=%q", what, n.Data, a.Key, a.Val)
			case slices.Contains([]string{"href", "src", "action", "formaction", "hx-sse:connect"}, a.Key) && !own:
				w.t.Errorf("%s: %s leads to %q", what, n.Data, a.Val)
			}
		}
	}
}

// deadOrNot selects everything.
var deadOrNot selection.Selection

// While the broker is away the pages keep the numbers that they have, and say so; then they
// go on.
func TestAway(t *testing.T) {
	t.Parallel()
	proxy, url := rabbittest.ProxyURL(t, rabbittest.URL(t))
	w := newWorld(t, url, dashboard.Config{})
	w.charge("paid")
	w.want("queues", "1 waits in 1 queue.", "billing")
	w.board.Wait(200 * time.Millisecond) // nothing answers
	proxy.Refuse()
	proxy.Cut()
	w.want("queues", "The broker has not answered for", "Numbers are those of", "1 waits in 1 queue.", "billing")
	for _, path := range pages {
		w.says(w.get(0, path), "The broker has not answered for")
	}
	proxy.Resume()
	w.charge("paid")
	page := w.want("queues", "2 wait in 1 queue.")
	if strings.Contains(page, "has not answered") {
		t.Error("the broker is still away")
	}
}
