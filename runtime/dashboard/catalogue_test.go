package dashboard_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dashboard"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// Tasks are listed with what is known of them, and one is enqueued by a form that knows
// its types.
func TestCatalogue(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	w.want("catalogue", "4 tasks.", "Of 4 no worker is here.", "billing.Charge", "billing", "mail.Send Send sends a letter.", "mail", "0", "pictures.Thumbnail")
	w.serve(shop)
	w.announce(broker.Process{ID: "other", Host: "far", Tasks: []broker.ProcessTask{{Name: "far/away.Do", Schema: "dddd", Queue: "far", Retries: 7}}})
	w.want("catalogue", "5 tasks.", "Of 1 no worker is here.", "billing.Charge billing", "1 Enqueue", "mail.Send", "away.Do")

	const task = "task?name=acme.org%2Fshop%2Fmail.Send"
	w.says(w.get(200, task), "Catalogue / mail.Send", "Send sends a letter.", "to string", "user User", "id int64", "token string, secret",
		"Documentation Send sends a letter. It is sent once.", "And no more.", "Options", "acme.org/shop/mail.Send", "Queue mail", "Retries 2 after 1 h, and twice as long", "Timeout 1 min an attempt",
		"Arguments to string", "Workers")
	schema := w.get(200, "task/schema?name=acme.org%2Fshop%2Fmail.Send")
	if !strings.Contains(schema, `"https://json-schema.org/draft/2020-12/schema"`) {
		t.Errorf("schema: %s", schema)
	}
	w.get(404, "task/schema?name=far%2Faway.Do")
	w.says(w.get(502, "task?name=nothing"), "no such task")

	form := inputs(w.get(200, task))
	send := func(status int, more ...string) string {
		t.Helper()
		return w.post(status, "task/enqueue", pairs(form, append([]string{"name", "acme.org/shop/mail.Send"}, more...)...)...)
	}
	form["form-value:/to"], form["form-value:/user/id"] = "li@exmaple.com", "9007199254740993x"
	w.says(send(422), "is not int64")
	form["form-value:/user/id"], form["form-value:/user/token"] = "9007199254740993", "s3cret-of-li"
	page := send(200, "form-add", "/channels")
	if form = inputs(page); form["form-value:/to"] != "li@exmaple.com" || form["form-state:/channels"] != "1" {
		t.Errorf("one more: %v", form)
	}
	form["form-value:/channels/0"] = "weekly"
	w.says(send(422, "in", "soon"), "Nothing was enqueued.", "is no time")
	w.says(send(422, "queue", "no/queue"), "Nothing was enqueued.", "queue name")
	w.says(send(200, "in", "2h", "queue", "mail"), "mail.Send was enqueued as …", "and runs in 2 h.")
	w.want("messages", "1 message.", "delayed 1")
	w.says(send(200), "mail.Send was enqueued as …", "ana,")
	w.state("mail", func(s broker.QueueState) bool { return s.Dead == 1 })
	for m, err := range w.operator().Messages(w.ctx(), selectAll(t, "state:dead"), 0) {
		const want = `{"to":"li@exmaple.com","user":{"id":9007199254740993,"token":"s3cret-of-li"},"since":null,"channels":["weekly"],"loud":false}`
		if err != nil || string(m.Message.Body) != want {
			t.Errorf("enqueued %s, %v", m.Message.Body, err)
		}
	}

	w.says(w.get(200, "task?name=far%2Faway.Do"), "away.Do", "Arguments JSON", "Their types are not known here")
	w.says(w.post(422, "task/enqueue", "name", "far/away.Do", "schema", "dddd", "arguments", "["), "Nothing was enqueued.", "no JSON")
	w.says(w.post(200, "task/enqueue", "name", "far/away.Do", "schema", "dddd", "arguments", `{"a":1}`), "away.Do was enqueued")
	w.says(w.post(200, "task/enqueue", "name", "nothing"), "no such task")
}

func selectAll(t *testing.T, text string) selection.Selection {
	t.Helper()
	s, err := selection.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Who may only look cannot enqueue, whatever he sends.
func TestCatalogueReadOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, brokers["SQLite"](t), dashboard.Config{})
	w.says(w.get(200, "task?name=acme.org%2Fshop%2Fmail.Send"), "You may look here, but not enqueue tasks.")
	w.says(w.post(403, "task/enqueue", "name", "acme.org/shop/mail.Send"), "Not allowed")
	r, err := http.Get(w.page + "task/enqueue")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode == 200 {
		t.Errorf("GET of an act: %s, %v", r.Status, err)
	}
}
