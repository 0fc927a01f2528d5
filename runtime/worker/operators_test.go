package worker

import (
	"context"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/schema"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

type operatorsUser struct {
	ID    int64  `json:"id"`
	Token string `json:"token" dtask:"secret"`
}

type operatorsArgs struct {
	To    string         `json:"to"`
	User  *operatorsUser `json:"user"`
	Wait  time.Duration  `json:"wait"`
	Tags  []string       `json:"tags"`
	Queue string         `json:"queue,omitempty"`
}

// operatorsProgram runs a program of two tasks, of which one has a secret.
func operatorsProgram(t *testing.T, url string) func(stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	define := func(lines ...string) dtask.Spec {
		s, err := schema.Parse(lines)
		if err != nil {
			t.Fatal(err)
		}
		return dtask.Spec{Queue: "mail", Retries: 5, Schema: s.Fingerprint(), Fields: s.Lines()}
	}
	send := dtask.Define[operatorsArgs, dtask.None]("acme.org/shop/mail.Send", define(
		"to string", "user *User", "wait time.Duration", "tags []string", "queue string, may be absent", "User.id int64", "User.token string, secret"))
	wipe := dtask.Define[struct{}, dtask.None]("acme.org/shop/mail.Wipe", define())
	table := dtask.Table{
		send.Bind(func(context.Context, operatorsArgs) (dtask.None, error) { return dtask.None{}, nil }),
		wipe.Bind(func(context.Context, struct{}) (dtask.None, error) { return dtask.None{}, nil }),
	}
	return func(stdin string, args ...string) (code int, stdout, stderr string) {
		out, err := newOutput(), newOutput()
		p := &program{
			name: "mailworker", stdin: strings.NewReader(stdin), stdout: out, stderr: err,
			getenv: func(string) string { return "" }, tables: []dtask.Table{table},
		}
		code = p.run(append([]string{"-url", url}, args...))
		return code, out.String(), err.String()
	}
}

// A worker program has the commands of operators, which know the types of its tasks.
func TestOperators(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "tasks.db")
	b, err := broker.Open(brokertest.Context(t), url, broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	run := operatorsProgram(t, url)
	for _, c := range []struct {
		args  string
		stdin string
		code  int
		want  string // a regular expression
	}{
		{args: "enqueue mail.Send --to a@b.org --user.id 7 --user.token SECRET --wait 90s --tags a --tags b --arg.queue q", want: `^[0-9a-f-]{36}\n$`},
		{args: "enqueue mail.Wipe --queue other --in 1h -o json", want: `"id":"[0-9a-f-]{36}"`},
		{args: "enqueue mail.Send --args - --to c@d.org", stdin: `{"user":null,"wait":0,"tags":null}`, want: `^[0-9a-f-]{36}\n$`},
		{args: "enqueue mail.Send --to a@b.org", code: 2, want: `the arguments do not fit the task: has no field tags, user, wait`},
		{args: "enqueue mail.Send --args {\"to\":7}", code: 2, want: `do not fit`},
		{args: "enqueue mail.Send --wait soon", code: 2, want: `write a duration as 90s`},
		{args: "enqueue mail.Send --user.id x", code: 2, want: `use a number`},
		{args: "enqueue mail.Send --user {} --user.id 7", code: 2, want: `--user: it is given already|user is given as a whole`},
		{args: "enqueue mail.Sned", code: 2, want: `did you mean mail.Send`},
		{args: "enqueue mail.Send -h", want: `User.token string, secret[\s\S]*--user.id int`},
		{args: "messages args.user.id:7", want: ` mail.Send `},
		{args: "messages args.usr.id:7", code: 2, want: `args has no "usr"; did you mean user\?`},
		{args: "messages args.user.ID:7", code: 2, want: `args.user has no "ID"; did you mean id\?`},
		{args: "messages args.user.id:seven", code: 2, want: `int64, and never equal to "seven"`},
		{args: "messages args.to>7", code: 2, want: `string, and > compares numbers`},
		{args: "messages args.tags.x:7", code: 2, want: `an element of it is args.tags.0`},
		{args: "messages task:pay.* args.usr.id:7", want: `^none`},
		{args: "messages schema:old args.usr.id:7", want: `^none`},
		{args: "dead retry --yes args.usr:7", code: 2, want: `did you mean user`},
		{args: "schema mail.Send", want: `"x-dtask-secret": true`},
		{args: "schema mail.Sent", code: 3, want: `no such task in this program`},
		{args: "tasks -o json", want: `"User.token string, secret"`},
		{args: "__complete enqueue mail.", want: `mail.Send`},
		{args: "__complete enqueue mail.Send --u", want: `--user.token`},
		{args: "__complete messages task:", want: `task:mail.Wipe`},
		{args: "messagse", code: 2, want: `did you mean message`},
		{args: "help", want: `mailworker queues`},
	} {
		code, out, stderr := run(c.stdin, strings.Fields(c.args)...)
		if all := out + stderr; code != c.code || !regexp.MustCompile(c.want).MatchString(all) || strings.Contains(all, "SECRET") {
			t.Errorf("%s: exit code %d:\n%s\nwant %d, %s", c.args, code, all, c.code, c.want)
		}
	}
	page, err := b.(broker.Lister).List(brokertest.Context(t), broker.Selection{}, "", 10)
	if err != nil || len(page.Messages) != 3 {
		t.Fatalf("messages: %+v, %v", page, err)
	}
	var bodies []string
	for _, m := range page.Messages {
		var indented []byte
		indented, _ = json.Marshal(json.RawMessage(m.Message.Body))
		bodies = append(bodies, string(m.State)+" "+m.Message.Queue+" "+string(indented))
		if m.Message.Schema == "" {
			t.Error("a message has no fingerprint")
		}
	}
	want := []string{
		`ready mail {"queue":"q","tags":["a","b"],"to":"a@b.org","user":{"id":7,"token":"SECRET"},"wait":90000000000}`,
		`ready mail {"tags":null,"to":"c@d.org","user":null,"wait":0}`,
		`delayed other {}`,
	}
	if strings.Join(bodies, "\n") != strings.Join(want, "\n") {
		t.Errorf("messages\n%s\nwant\n%s", strings.Join(bodies, "\n"), strings.Join(want, "\n"))
	}
}
