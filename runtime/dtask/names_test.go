package dtask

import (
	"log/slog"
	"maps"
	"testing"
)

func boundTask(name, module string) BoundTask {
	return Define[struct{}, None](name, Spec{Queue: "q", Module: module}).Bind(nil)
}

func TestShortNames(t *testing.T) {
	for _, c := range []struct {
		table Table
		want  map[string]string
	}{
		{nil, map[string]string{}},
		{Table{boundTask("plain", "")}, map[string]string{"plain": "plain"}},
		{
			Table{boundTask("github.com/acme/shop/mail.Mailer.SendDigest", ""), boundTask("github.com/acme/shop/mail.SendWelcome", "")},
			map[string]string{
				"github.com/acme/shop/mail.Mailer.SendDigest": "mail.Mailer.SendDigest",
				"github.com/acme/shop/mail.SendWelcome":       "mail.SendWelcome",
			},
		},
		{
			Table{boundTask("example.com/a/mail.Send", ""), boundTask("example.com/b/mail.Send", ""), boundTask("mail.Send", "")},
			map[string]string{
				"example.com/a/mail.Send": "a/mail.Send",
				"example.com/b/mail.Send": "b/mail.Send",
				"mail.Send":               "mail.Send",
			},
		},
		{
			Table{boundTask("example.com/a/mail.Send", ""), boundTask("a/mail.Send", "")},
			map[string]string{"example.com/a/mail.Send": "example.com/a/mail.Send", "a/mail.Send": "a/mail.Send"},
		},
	} {
		if got := c.table.ShortNames(); !maps.Equal(got, c.want) {
			t.Errorf("short names %v, want %v", got, c.want)
		}
	}
}

// A worker tells a task of another build from one of another service.
func TestNoTask(t *testing.T) {
	w, err := NewWorker(NewClient(nil), WorkerConfig{Logger: slog.New(slog.DiscardHandler)},
		Table{boundTask("example.com/shop/mail.Send", "example.com/shop"), boundTask("pinned", "example.com/lib")})
	if err != nil {
		t.Fatal(err)
	}
	for task, want := range map[string]string{
		"example.com/shop/mail.Gone": "this build has no task example.com/shop/mail.Gone",
		"example.com/lib.Gone":       "this build has no task example.com/lib.Gone",
		"pinned-too":                 "this build has no task pinned-too",
		"mail/pinned":                "this build has no task mail/pinned",
		"example.com/shopping.Buy": "task example.com/shopping.Buy is of another module than example.com/lib, example.com/shop, and both use queue \"q\" of this broker;" +
			" give each service a namespace of its own: ?namespace= in its broker URL",
	} {
		if got := w.noTask(&Message{Task: task, Queue: "q"}); got.Error() != want || !isForeign(got) {
			t.Errorf("task %s: %v, want %s", task, got, want)
		}
	}
}
