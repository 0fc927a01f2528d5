package console

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

// A secret is shown only when that is asked for, and an edit leaves it as it is.
func TestSecrets(t *testing.T) {
	onBrokers(t, func(t *testing.T, url string, ids []string) {
		t.Setenv("TMPDIR", t.TempDir())
		shown := func(id string, args ...any) string {
			t.Helper()
			var whole []map[string]any
			r := dtask(t, url, append([]any{"message", "show", id, "-o", "json"}, args...)...)
			if err := json.Unmarshal([]byte(r.out), &whole); err != nil {
				t.Fatalf("%v: %+v", err, r)
			}
			text, _ := json.Marshal(whole[0]["arguments"])
			return string(text)
		}
		send, digest := ids[0], ids[2] // two tasks, of which one has a secret
		const all, open = `{"to":"***","user":"***"}`, `{"to":"a@b.org","user":{"id":2}}`
		dtask(t, url, "message", "show", digest).want(t, exitOK, `^arguments, masked as no living worker knows`, `"to": "\*\*\*"`)
		if got := shown(digest); got != all {
			t.Errorf("nobody knows what is secret: %s", got)
		}
		if got := shown(digest, "--reveal"); got != open {
			t.Errorf("revealed: %s", got)
		}
		t.Setenv(editorEnv, "***9=>***")
		dtask(t, url, "message", "edit", digest).want(t, exitOK, `are what they were`)
		alive(t, url)
		if got := shown(digest); got != `{"to":"***","user":{"id":2}}` {
			t.Errorf("to is secret: %s", got)
		}
		if got := shown(send); got != `{"to":"a@b.org","user":{"id":0}}` {
			t.Errorf("nothing is secret: %s", got)
		}
		if r := dtask(t, url, "message", "show", digest); strings.Contains(r.out, "a@b.org") || strings.Contains(r.out, "masked") {
			t.Errorf("shown: %s", r.out)
		}
		t.Setenv(editorEnv, `"***1"=>"***7"`)
		dtask(t, url, "message", "edit", digest).want(t, exitFailed, `nothing was stored: "\*\*\*7" stands for no secret of this message; the marks are`)
		t.Setenv(editorEnv, `"id": 2=>"id": 20`)
		dtask(t, url, "message", "edit", digest).want(t, exitOK, `1 message edited`)
		if got := shown(digest, "--reveal"); got != `{"to":"a@b.org","user":{"id":20}}` {
			t.Errorf("edited, but for the secret: %s", got)
		}
		t.Setenv(editorEnv, `"***1"=>"new"`)
		dtask(t, url, "message", "edit", digest).want(t, exitOK, `1 message edited`)
		if got := shown(digest, "--reveal"); got != `{"to":"new","user":{"id":20}}` {
			t.Errorf("a new secret: %s", got)
		}
	})
}

// What is not as the task has it, or of another language, is masked.
func TestSecretsOfOthers(t *testing.T) {
	url := "sqlite:" + t.TempDir() + "/tasks.db"
	b := openBroker(t, url)
	ids := make(map[string]string)
	for name, body := range map[string]string{"list": `["SECRET"]`, "text": `SECRET`, "foreign": `{"TOO":"SECRET"}`, "case": `{"TO":"SECRET"}`} {
		m := brokertest.Message("mail")
		m.Task, m.Body = "acme.org/shop/mail.Digest", []byte(body)
		if name == "foreign" {
			m.Schema = ""
		}
		ids[name] = kill(t, b, m, broker.FailureError, "")
	}
	b.Close()
	alive(t, url)
	for name, id := range ids {
		if r := dtask(t, url, "message", "show", id); r.code != exitOK || strings.Contains(r.out, "SECRET") || !strings.Contains(r.out, "***") {
			t.Errorf("%s: %+v", name, r)
		}
		dtask(t, url, "message", "show", id, "--reveal").want(t, exitOK, "SECRET")
		dtask(t, url, "journal", "--acts").want(t, exitOK, "revealed", "id:"+id)
	}
}
