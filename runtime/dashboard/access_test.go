package dashboard_test

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/dashboard"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// acts are all forms that the dashboard takes, with what each needs.
func acts(id string) map[string]dashboard.Acts {
	return map[string]dashboard.Acts{
		"messages/peek?": dashboard.Peek, "queues/pause?": dashboard.Pause, "queues/resume?": dashboard.Pause,
		"messages/retry?": dashboard.Retry, "messages/cancel?": dashboard.Cancel, "messages/move?": dashboard.Move, "messages/delete?": dashboard.Delete,
		"message/" + id + "/edit?": dashboard.Edit, "message/" + id + "/retry?": dashboard.Retry, "message/" + id + "/cancel?": dashboard.Cancel,
		"message/" + id + "/move?": dashboard.Move, "message/" + id + "/delete?": dashboard.Delete, "message/" + id + "/reveal?": dashboard.Reveal,
		"many?do=retry": dashboard.Retry, "many?do=delete": dashboard.Delete, "many?do=cancel": dashboard.Cancel, "many?do=move": dashboard.Move, "many?do=x": dashboard.Everything,
		"schedules/run?": dashboard.Enqueue, "schedules/pause?": dashboard.Pause, "schedules/resume?": dashboard.Pause,
		"workers/quiet?": dashboard.Steer, "workers/resume?": dashboard.Steer, "workers/stop?": dashboard.Steer, "workers/cancel?": dashboard.Cancel,
		"task/enqueue?": dashboard.Enqueue,
	}
}

var pages = []string{"", "queues", "messages", "dead", "schedules", "workers", "deploy", "catalogue", "task?name=acme.org%2Fshop%2Fmail.Send", "history"}

// Whoever may only look sees every page and no button, and changes nothing; whoever may do
// one thing may do no other.
func TestAccess(t *testing.T) {
	t.Parallel()
	access, refused := dashboard.Access{}, error(nil)
	w := newWorld(t, brokers["SQLite"](t), dashboard.Config{Authorize: func(*http.Request) (dashboard.Access, error) { return access, refused }})
	w.serve(shop)
	id := w.send("ana@exmaple.com")
	w.want("messages", "1 message.", "dead 1")

	for _, path := range append(pages, "message/"+id) {
		page := w.get(200, path)
		for _, form := range regexp.MustCompile(`action="([^"]*)"`).FindAllStringSubmatch(page, -1) {
			if !strings.HasSuffix(form[1], "/find") && !strings.HasSuffix(form[1], "/edit") && !strings.HasSuffix(form[1], "/enqueue") {
				t.Errorf("%s has a form for %s", path, form[1])
			}
		}
	}
	w.says(w.get(200, "message/"+id), "You may look here, but not change things.")
	w.want("dead", "Retry", "Delete", "You may look here, but not change things.")
	for path, needs := range acts(id) {
		access.May = dashboard.Nothing
		path, query, _ := strings.Cut(path, "?")
		name, value, _ := strings.Cut(query, "=")
		w.says(w.post(403, path, name, value, "id", id, "queue", "mail"), "Not allowed", "You may look here, but not")
		access.May = dashboard.Everything &^ needs
		w.post(403, path, name, value, "id", id, "queue", "mail")
	}
	access.May = dashboard.Edit
	w.post(403, "message/"+id+"/edit", "retry", "1")
	if kept, err := w.operator().Acts(w.ctx(), time.Time{}); err != nil || len(kept) > 0 {
		t.Errorf("changed: %+v, %v", kept, err)
	}
	refused = errors.New("who is this? s3cret")
	for _, path := range append(pages, "message/"+id, "message/"+id+"/json", "nowhere") {
		if page := w.get(403, path); strings.Contains(page, "s3cret") || strings.Contains(page, "mail.Send") || strings.Contains(page, "<nav") {
			t.Errorf("%s: %s", path, seen(page))
		}
	}
	w.get(403, "live/queues")
}

// With a token nobody sees anything without it; a browser says it once, a script each time.
func TestToken(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	client, err := dtask.Open(brokertest.Context(t), brokers["SQLite"](t))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := dashboard.New(client, dashboard.Config{Token: "short"}); err == nil || !strings.Contains(err.Error(), "16 characters") {
		t.Errorf("a short token: %v", err)
	}
	if _, err := dashboard.New(client, dashboard.Config{Token: token, Authorize: everything}); err == nil {
		t.Error("no error of a token beside Authorize")
	}
	w := newWorld(t, brokers["SQLite"](t), dashboard.Config{Token: token})
	id := w.send("ana@example.com")
	for _, path := range append(pages, "message/"+id, "message/"+id+"/json", "live/queues") {
		status := 401
		if strings.HasPrefix(path, "live") {
			status = 403
		}
		if page := w.get(status, path); strings.Contains(page, "mail") || strings.Contains(page, "<nav") {
			t.Errorf("%s: %s", path, seen(page))
		}
	}
	w.post(401, "queues/pause", "queue", "mail")
	w.says(w.post(401, "enter", "user", "ana", "token", token+"x"), "This is not the token.")

	jar, _ := cookiejar.New(nil) // it never fails
	browser := &http.Client{Jar: jar}
	post := func(path string, form url.Values) string {
		r, err := browser.PostForm(w.page+path, form)
		if err != nil {
			t.Fatal(err)
		}
		return w.read(r, 200, path)
	}
	w.says(post("enter", url.Values{"user": {"ana"}, "token": {token}}), "Overview")
	w.says(post("queues/pause", url.Values{"queue": {"mail"}}), "mail is paused.", "ana, by token")
	if got, err := w.operator().Acts(w.ctx(), time.Time{}); err != nil || len(got) != 1 || got[0].User != "ana, by token" {
		t.Errorf("kept: %+v, %v", got, err)
	}
	w.says(func() string {
		r, err := browser.PostForm(w.page+"leave", nil)
		if err != nil {
			t.Fatal(err)
		}
		return w.read(r, 401, "leave")
	}(), "asks for its token")

	r, _ := http.NewRequest("GET", w.page+"queues", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	w.says(w.read(a, 200, "queues"), "Queues")
	r.Header.Set("Authorization", "Bearer "+token+"x")
	r.AddCookie(&http.Cookie{Name: "dtask-dashboard", Value: "AAAA"})
	if a, err = http.DefaultClient.Do(r); err != nil {
		t.Fatal(err)
	}
	w.read(a, 401, "queues")
}

// Forms of other sites change nothing, and no answer may be framed or kept.
func TestHeaders(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
		r, _ := http.NewRequest("POST", w.page+"queues/pause", strings.NewReader("queue=mail"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set(name, value)
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		w.read(a, 403, "queues/pause")
	}
	for _, path := range append(pages, "nowhere", "static/dashboard.css", "../../../etc/passwd", "static/..%2f..%2flook.go", "static/") {
		r, err := http.Get(w.page + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		h := r.Header
		if r.Request.URL.Path != "/etc/passwd" && (!strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'; style-src 'self';") || h.Get("X-Frame-Options") != "DENY" || h.Get("Cache-Control") != "no-store") {
			t.Errorf("%s: %v", path, h)
		}
		if strings.Contains(path, "..") && r.StatusCode == 200 || path == "static/" && r.StatusCode != 404 {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
	acts, err := w.operator().Acts(w.ctx(), time.Time{})
	if err != nil || len(acts) > 0 {
		t.Errorf("changed: %+v, %v", acts, err)
	}
}
