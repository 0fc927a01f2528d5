package web

import (
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A mail that failed is found in the dashboard, its address is mended, and it is sent.
func TestMend(t *testing.T) {
	page := startExample(t, t.TempDir())
	post := func(path string, form url.Values) string {
		t.Helper()
		r, err := http.PostForm(page+path, form)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s, %v\n%s", path, r.Status, err, text)
		}
		return string(text)
	}
	post("/mistake", nil)
	state := settled(t, page)
	m := regexp.MustCompile(`href="(/tasks/message/[^"]+)">See why, and mend it`).FindStringSubmatch(state)
	if m == nil {
		t.Fatalf("no way to the message in\n%s", state)
	}
	message := get(t, page+m[1], http.StatusOK)
	for _, want := range []string{"mail.Mailer.Send", "&#34;ann at example.com&#34; is no mail address", "the address of the letter cannot be read", "Save and retry"} {
		if !strings.Contains(message, want) {
			t.Errorf("the message does not say %s:\n%s", want, message)
		}
	}
	form := url.Values{"retry": {"1"}}
	for _, input := range regexp.MustCompile(`<input[^>]* name="(form-[^"]*|was)" value="([^"]*)"`).FindAllStringSubmatch(message, -1) {
		form.Add(input[1], html.UnescapeString(input[2]))
	}
	form.Set("form-value:/letter/To", "ann@example.com")
	post(m[1]+"/edit", form)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if state = settled(t, page); strings.Contains(state, "A mail to a wrong address: done") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not sent:\n%s", state)
		}
	}
	// The worker tells of itself in its own time, and the page asks in its own.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		workers := get(t, page+"/tasks/workers", http.StatusOK)
		if strings.Contains(workers, "running") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no worker in\n%s", workers)
		}
	}
}

// Who is not at this machine may only look, nor may a page that is called as it is.
func TestWhoAsks(t *testing.T) {
	for _, c := range []struct {
		from, host string
		may        bool
	}{
		{"127.0.0.1:5", "127.0.0.1:8080", true},
		{"[::1]:5", "localhost:8080", true},
		{"[::1]:5", "[::1]:8080", true},
		{"127.0.0.1:5", "evil.example:8080", false},
		{"127.0.0.1:5", "evil.example", false},
		{"192.0.2.7:5", "127.0.0.1:8080", false},
	} {
		access, err := whoAsks(&http.Request{RemoteAddr: c.from, Host: c.host})
		if err != nil || (access.May != 0) != c.may {
			t.Errorf("%+v: %+v, %v", c, access, err)
		}
	}
}
