package dashboard_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// Messages are listed, selected, counted and paged, in the words of the pages.
func TestMessages(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	w.want("messages", "There is no message.", "No message is kept")
	w.serve(shop)
	w.serve(studio)
	dead := w.send("ana@exmaple.com")
	delayed := w.send("later@example.com", dtask.In(time.Hour))
	w.charge("slow")
	w.thumbnail("beach.heic")
	for i := range 60 {
		w.thumbnail(fmt.Sprintf("wide-%d.png", i), dtask.Queue("attic"))
	}
	page := w.want("messages", "64 messages.", "All 64", "waiting 60", "running 1", "delayed 2", "dead 1", "The first 50 of 64")
	next := regexp.MustCompile(`id="next"[^>]* href="\.\/([^"]+)"`).FindStringSubmatch(page)
	if next == nil {
		t.Fatal("no next page")
	}
	w.want(strings.ReplaceAll(next[1], "&amp;", "&"), "64 messages.", "14 messages further on", "First")

	find := func(text string) (page string) {
		brokertest.Eventually(t, func() string {
			if page = w.post(200, "messages/find", "q", text); strings.Contains(page, "are being looked for") {
				return "it is still being looked for"
			}
			return ""
		})
		return page
	}
	w.says(find("state:dead"), "1 matches.", "dead 1", "mail.Send", "…"+dead[len(dead)-12:], "dead", "error 550 5.1.1 <ana@exmaple.com>: Recipient",
		"to=ana@exmaple.com user.id=9007199254740993 user.token=*** since=null channels.0=weekly channels.1=news loud=false", "1 of 3", "mail")
	w.says(find("task:pictures.* state:delayed"), "1 matches.", "retried runs in ", "panic index out of range", "1 of 2")
	w.says(find("queue:attic args.key:wide-7.png"), "1 matches.", "key=wide-7.png width=480", "0 of 2")
	w.says(find("state:running"), "billing.Charge", "running for", "1 of 2")
	w.says(find("stat:dead"), "This is no selection.", `unknown field "stat"; did you mean state?`, "Did you mean state:dead")
	w.says(find("state:dead send"), `"send" has no operator`, "Did you mean state:dead task~send")
	w.says(find("task:mail.Send args.tt:7"), "Did you mean task:mail.Send args.to:7")
	w.says(find("task:mail.Nothing"), "Nothing matches.", "Look at all")
	w.says(find(dead), "mail.Send dead for")
	w.says(find(delayed[24:]), "1 matches.", "later@example.com")
	w.says(w.get(200, "messages?s=abc"), "of another process")

	// What is said of arguments is in no address.
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for text, want := range map[string]string{"args.to:ana": "../messages?s=", `error~"ana"`: "../messages?s=", "queue:mail": "../messages?q=queue%3Amail"} {
		r, err := c.PostForm(w.page+"messages/find", url.Values{"q": {text}})
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if to := r.Header.Get("Location"); !strings.HasPrefix(to, want) || strings.Contains(to, "ana") {
			t.Errorf("%s leads to %s", text, to)
		}
	}
}

// The acts on selected messages do what they say, in both services, and the history tells.
func TestSome(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	w.serve(shop)
	w.serve(studio)
	a, b := w.send("a@exmaple.com"), w.send("b@exmaple.com")
	retried := w.thumbnail("beach.heic")
	later := w.charge("paid", dtask.In(time.Hour))
	slow := w.charge("slow")
	w.want("messages", "5 messages.", "running 1", "delayed 2", "dead 2")

	w.says(w.post(200, "messages/retry", "id", a, "id", retried, "query", "q=state%3Adead"), "2 messages retried.", "ana,")
	w.want("messages", "dead 3") // all have died again
	w.says(w.post(200, "messages/cancel", "id", later, "id", slow, "id", b), "1 message cancelled.", "1 was told to end", "1 was nothing to cancel")
	w.want("messages", "3 messages.", "running 0", "delayed 0", "dead 3")
	w.says(w.post(200, "messages/move", "id", a, "id", b, "queue", "attic"), "2 messages moved to attic.")
	w.want("messages?q=queue:attic", "2 match.")
	w.says(w.post(200, "messages/move", "id", a, "queue", "no/queue"), "queue name")
	w.says(w.post(200, "messages/delete", "id", a, "id", b), "2 messages deleted.")
	w.says(w.post(200, "messages/delete"), "no message is selected")
	w.want("messages", "1 message.", "dead 1")
}

// A message is shown with its life, its arguments can be mended, and then it is done.
func TestMessage(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	w.serve(shop)
	w.serve(studio)
	id := w.send("ana@exmaple.com")
	path := "message/" + id
	w.state("mail", func(s broker.QueueState) bool { return s.Dead == 1 })
	page := w.get(200, path)
	w.says(page, "mail.Send", "dead", "after attempt 1 of 3", "550 5.1.1 <ana@exmaple.com>", "An error at attempt 1. The task called it permanent, so it is not tried again by itself.",
		"What happened", "Enqueued", "with schema", "Attempt 1: dead", "error 550", "Arguments", "to string", "user User", "token string, secret", "••••••••",
		"Facts", id, "acme.org/shop/mail.Send", "the present one of 1 of 2 workers")
	if strings.Contains(page, "s3cret") || !strings.Contains(page, `value="9007199254740993"`) {
		t.Error("the page shows a secret, or another number")
	}
	if text := w.get(200, path+"/json"); strings.Contains(text, "s3cret") || !strings.Contains(text, `"id": 9007199254740993`) {
		t.Errorf("JSON: %s", text)
	}
	if text := w.post(200, path+"/reveal"); !strings.Contains(text, "s3cret-of-ana") {
		t.Errorf("not revealed: %s", seen(text))
	}

	form := inputs(page)
	form["form-value:/user/id"] = "90071992547409930000"
	w.says(w.post(422, path+"/edit", pairs(form, "retry", "1")...), "is not int64: that is a whole number from")
	form["form-value:/user/id"] = "7"
	again := w.post(200, path+"/edit", pairs(form, "form-add", "/channels")...)
	if inputs(again)["form-state:/channels"] != "3" || inputs(again)["form-value:/user/id"] != "7" {
		t.Errorf("one more: %v", inputs(again))
	}
	w.says(w.post(200, path+"/edit", pairs(form, "save", "1")...), "The arguments were saved.")
	w.says(w.post(200, path+"/edit", pairs(form, "save", "1")...), "nothing was saved")
	form = inputs(w.get(200, path))
	form["form-value:/to"] = "ana@example.com"
	w.post(0, path+"/edit", pairs(form, "retry", "1")...) // it is waiting, or done already
	w.state("mail", func(s broker.QueueState) bool { return s.Dead+s.Ready+s.Running == 0 })
	brokertest.Eventually(t, func() string {
		return missing(w.get(0, path), "This message is gone", "It was retried by ana at", "it is done, unless")
	})
	acts, err := w.operator().Acts(w.ctx(), time.Now().Add(-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var did []string
	for _, a := range acts {
		did = append(did, a.User+" "+a.Did)
	}
	if got := strings.Join(did, ", "); got != "ana revealed, ana edited, ana edited, ana retried" {
		t.Errorf("kept: %s", got)
	}
}

var inputOf = regexp.MustCompile(`(?s)<input[^>]* name="(form-[^"]*|was)" value="([^"]*)"|<textarea[^>]* name="(form-[^"]*)"[^>]*>\n(.*?)</textarea>|<select[^>]* name="([^"]*)".*?</select>`)

// inputs returns what a browser would send of the form with the arguments.
func inputs(page string) map[string]string {
	unescape := strings.NewReplacer("&#34;", `"`, "&#39;", "'", "&amp;", "&", "&lt;", "<", "&gt;", ">", "&#43;", "+")
	form := make(map[string]string)
	for _, m := range inputOf.FindAllStringSubmatch(page, -1) {
		switch {
		case m[5] != "":
			form[m[5]] = regexp.MustCompile(`selected>(\w+)`).FindStringSubmatch(m[0] + "selected>true")[1]
		case m[3] != "":
			form[m[3]] = unescape.Replace(m[4])
		default:
			form[m[1]] = unescape.Replace(m[2])
		}
	}
	return form
}

func pairs(form map[string]string, more ...string) []string {
	for name, value := range form {
		more = append(more, name, value)
	}
	return more
}

// The page of a message that no task here knows is JSON, and hides all.
func TestForeign(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	other := dtask.Define[map[string]string, dtask.None]("acme.org/other.Task", dtask.Spec{Queue: "other", Schema: "0therSchema"})
	h, err := other.Delay(w.ctx(), map[string]string{"token": "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	page := w.get(200, "message/"+h.ID)
	w.says(page, "waiting", "All of them are masked.", "All arguments JSON", "***1")
	if strings.Contains(page, "s3cret") {
		t.Error("the page shows a secret")
	}
	was := inputs(page)["was"]
	w.says(w.post(422, "message/"+h.ID+"/edit", "was", was, "arguments", "{"), "Nothing was saved.", "no JSON")
	w.says(w.post(200, "message/"+h.ID+"/edit", "was", was, "arguments", `{"token":"***1","b":"c"}`, "save", "1"), "The arguments were saved.")
	m, err := w.operator().Message(context.Background(), h.ID)
	if err != nil || string(m.Message.Body) != `{"token":"s3cret","b":"c"}` {
		t.Errorf("%s, %v", m.Message.Body, err)
	}
}
