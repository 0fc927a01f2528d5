package console

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/operate"
	_ "github.com/dtaskhq/dtask/runtime/rabbitmq"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
)

// editorEnv makes the test program an editor that replaces a text by another one. It
// leaves what it has seen in the file that seenEnv names.
const (
	editorEnv = "DTASK_TEST_EDITOR"
	seenEnv   = "DTASK_TEST_SEEN"
)

func TestMain(m *testing.M) {
	if change := os.Getenv(editorEnv); change != "" {
		os.Exit(edit(os.Args[len(os.Args)-1], change))
	}
	brokertest.Main(m)
}

func edit(file, change string) int {
	old, new, _ := strings.Cut(change, "=>")
	text, err := os.ReadFile(file)
	if seen := os.Getenv(seenEnv); err == nil && seen != "" {
		err = os.WriteFile(seen, text, 0o600)
	}
	if err == nil {
		err = os.WriteFile(file, bytes.Replace(text, []byte(old), []byte(new), 1), 0o600)
	}
	if err != nil {
		return 1
	}
	return 0
}

// onBrokers runs a test on all brokers. There are two queues: mail has three dead
// letters, two of them timeouts, one message that is ready and one that is delayed;
// images has one dead letter.
func onBrokers(t *testing.T, f func(t *testing.T, url string, ids []string)) {
	for name, url := range map[string]func(t *testing.T) string{
		"SQLite":     func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "tasks.db") },
		"PostgreSQL": func(t *testing.T) string { return postgrestest.URL(t) },
		"RabbitMQ":   func(t *testing.T) string { return rabbittest.URL(t) },
	} {
		t.Run(name, func(t *testing.T) {
			url := url(t)
			f(t, url, fill(t, url))
		})
	}
}

func openBroker(t *testing.T, url string) broker.Broker {
	t.Helper()
	b, err := broker.Open(brokertest.Context(t), url, broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fill returns the ids of the dead letters.
func fill(t *testing.T, url string) (ids []string) {
	t.Helper()
	b := openBroker(t, url)
	defer b.Close()
	for _, d := range []struct{ queue, task, kind, err string }{
		{"mail", "acme.org/shop/mail.Send", broker.FailureTimeout, "no answer: timeout"},
		{"mail", "acme.org/shop/mail.Send", broker.FailureTimeout, "no answer: timeout"},
		{"mail", "acme.org/shop/mail.Digest", broker.FailurePanic, "no such user"},
		{"images", "acme.org/shop/images.Rotate", broker.FailureError, "no space left"},
	} {
		m := brokertest.Message(d.queue)
		m.Task, m.Body = d.task, []byte(fmt.Sprintf(`{"user":{"id":%d},"to":"a@b.org"}`, len(ids)))
		ids = append(ids, kill(t, b, m, d.kind, d.err))
	}
	later := brokertest.Message("mail")
	later.Task = "acme.org/shop/mail.Send"
	later.NotBefore = time.Now().Add(time.Hour)
	brokertest.Enqueue(t, b, brokertest.Message("mail"), later)
	for q, n := range map[string]int{"mail": 3, "images": 1} {
		waitDead(t, b, q, n)
	}
	return ids
}

// alive announces a worker, with the tasks of fill, until the test ends. Of the digest
// somebody is secret.
func alive(t *testing.T, url string) {
	t.Helper()
	b := openBroker(t, url)
	p := broker.Process{ID: "alive", Host: "here", PID: 1, Started: time.Now(), Tasks: []broker.ProcessTask{
		{Name: "acme.org/shop/mail.Send", Schema: "5ca1ab1e", Queue: "mail", Secrets: []string{}},
		{Name: "acme.org/shop/mail.Digest", Schema: "5ca1ab1e", Queue: "mail", Secrets: []string{"to string, secret"}},
	}, Queues: []broker.ProcessQueue{{Name: "mail", Concurrency: 10}}}
	announce := func() {
		if _, err := b.(broker.Registry).Announce(context.Background(), p); err != nil {
			t.Error(err)
		}
	}
	announce()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Second):
				announce()
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped; b.Close() })
	brokertest.Eventually(t, func() string {
		if ps, err := b.(broker.Registry).Processes(brokertest.Context(t)); err != nil || len(ps) != 1 {
			return fmt.Sprintf("%d workers, %v", len(ps), err)
		}
		return ""
	})
}

// kill makes a message a dead letter.
func kill(t *testing.T, b broker.Broker, m *broker.Message, kind, reason string) (id string) {
	t.Helper()
	c, err := b.Consume(brokertest.Context(t), broker.ConsumeOptions{Queue: m.Queue, Concurrency: 1})
	if err != nil {
		t.Fatal(err)
	}
	brokertest.Enqueue(t, b, m)
	d := brokertest.Receive(t, c)
	d.Message().Failures = append(d.Message().Failures, broker.Failure{Attempt: 1, At: time.Now(), Kind: kind, Error: reason, Stack: "main.go:1"})
	d.Settle(broker.Settlement{Verdict: broker.Dead})
	if err := c.Close(brokertest.Context(t)); err != nil {
		t.Fatal(err)
	}
	return m.ID
}

func waitDead(t *testing.T, b broker.Broker, queue string, n int) {
	t.Helper()
	brokertest.Eventually(t, func() string {
		if s := brokertest.State(t, b, queue); s.Dead != n {
			return fmt.Sprintf("state %+v, want %d dead", s, n)
		}
		return ""
	})
}

// A result is what a command did.
type result struct {
	code     int
	out, err string
}

// asked is somebody at a terminal who types a line.
type asked string

// dtask runs a command. Of the arguments the context and what is typed are options.
func dtask(t *testing.T, url string, args ...any) result {
	t.Helper()
	var out, errs bytes.Buffer
	p := &Program{Name: "dtask", In: strings.NewReader(""), Out: &out, Err: &errs, Getenv: func(name string) string {
		return map[string]string{"DTASK_URL": url, "EDITOR": os.Args[0]}[name]
	}, Open: func(ctx context.Context, url string) (broker.Broker, error) {
		return broker.Open(ctx, url, broker.Config{Logger: slog.New(slog.DiscardHandler)})
	}}
	ctx := brokertest.Context(t)
	var words []string
	for _, a := range args {
		switch a := a.(type) {
		case []operate.Task:
			p.Own = a
		case string:
			words = append(words, a)
		case asked:
			p.Ask, p.In = true, strings.NewReader(string(a))
		case context.Context:
			ctx = a
		case io.Writer:
			p.Err = a
		}
	}
	code := p.Run(ctx, words)
	return result{code, out.String(), errs.String()}
}

// want checks the exit code and what was printed.
func (r result) want(t *testing.T, code int, patterns ...string) {
	t.Helper()
	all := r.out + r.err
	if r.code != code {
		t.Errorf("exit code %d, want %d:\n%s", r.code, code, all)
	}
	for _, p := range patterns {
		if !regexp.MustCompile("(?m)" + p).MatchString(all) {
			t.Errorf("printed\n%s\nwant %s", all, p)
		}
	}
}

func TestLists(t *testing.T) {
	onBrokers(t, func(t *testing.T, url string, ids []string) {
		dtask(t, url, "queues").want(t, exitOK, `^QUEUE +READY +RUNNING +DELAYED +DEAD +PAUSED$`, `^images +0 +\S +\S +1$`, `^mail +1 +\S +\S +3$`)
		dtask(t, url, "orphans").want(t, exitOK, `^mail +1 `)
		dtask(t, url, "dead", "list").want(t, exitOK, `^ID +TASK +QUEUE +STATE +FOR +ATTEMPT +ERROR$`, `^`+ids[0]+` +mail\.Send +mail +dead +\d+s +1/6 +no answer: timeout$`)
		dtask(t, url, "dead", "list", "error~space").want(t, exitOK, `^`+ids[3]+` `)
		dtask(t, url, "dead", "list", "args.user.id:2").want(t, exitOK, `^`+ids[2]+` +mail\.Digest `)
		dtask(t, url, "dead", "list", "--limit", "2").want(t, exitOK, `the first 2; --limit 0 lists all`)
		dtask(t, url, "dead", "list", "task:nothing.*").want(t, exitOK, `^none$`)
		dtask(t, url, "counts", "state:dead").want(t, exitOK, `^QUEUE +TASK +SCHEMA +STATE +MESSAGES +OLDEST +LATEST$`, `^mail +mail\.Send +5ca1ab1e +dead +2 `)
		alive(t, url)
		dtask(t, url, "message", "show", ids[2]).want(t, exitOK, `^task +acme.org/shop/mail.Digest$`, `^      "id": 2$`, `^newest failure, attempt 1, .* ago: panic$`, `^  no such user$`)
		dtask(t, url, "message", "show", "nobody").want(t, exitNothing, `no message has this id`)

		var records []map[string]any
		if r := dtask(t, url, "messages", "state:dead", "-o", "json"); json.Unmarshal([]byte(r.out), &records) != nil || len(records) != 4 {
			t.Errorf("-o json: %+v", r)
		}
		for _, key := range []string{"id", "task", "queue", "state", "at", "enqueued_at", "attempt", "attempts", "schema", "kind", "error"} {
			if _, ok := records[0][key]; !ok {
				t.Errorf("a message in JSON has no %s: %v", key, records[0])
			}
		}
		if r := dtask(t, url, "messages", "state:dead", "task:none", "-o", "json"); r.out != "[]\n" {
			t.Errorf("no messages in JSON: %q", r.out)
		}
		if r := dtask(t, url, "queues", "-o", "jsonl"); strings.Count(r.out, "\n") != 2 || !strings.HasPrefix(r.out, `{"queue":"images","ready":0,`) {
			t.Errorf("-o jsonl: %q", r.out)
		}
		if rows, err := csv.NewReader(strings.NewReader(dtask(t, url, "dead", "list", "-o", "csv").out)).ReadAll(); err != nil || len(rows) != 5 || rows[0][0] != "id" || rows[0][10] != "error" {
			t.Errorf("-o csv: %v, %v", rows, err)
		}
		var whole []map[string]any
		if r := dtask(t, url, "message", "show", ids[1], "-o", "json"); json.Unmarshal([]byte(r.out), &whole) != nil || whole[0]["arguments"].(map[string]any)["to"] != "a@b.org" {
			t.Errorf("show in JSON: %+v", r)
		}
	})
}

// Nothing is changed before somebody has seen the count and says so.
func TestChanges(t *testing.T) {
	onBrokers(t, func(t *testing.T, url string, ids []string) {
		left := func(want int) {
			t.Helper()
			if n := strings.Count(dtask(t, url, "dead", "list", "-o", "jsonl").out, "\n"); n != want {
				t.Errorf("%d dead letters, want %d", n, want)
			}
		}
		dtask(t, url, "dead", "retry", "error~timeout").want(t, exitUsage, `^ +2 dead of mail.Send on mail$`, `2 messages are to be retried; add --yes`)
		dtask(t, url, "dead", "retry", "error~timeout", asked("y\n")).want(t, exitUsage, `Type 2 to do it: `, `nothing was changed`)
		dtask(t, url, "dead", "retry", "error~timeout", asked("")).want(t, exitUsage, `nothing was changed`)
		dtask(t, url, "message", "cancel", "--select", "state:dead", "--yes").want(t, exitUsage, `^dtask: state: messages that are dead cannot be cancelled; those that can are ready`)
		dtask(t, url, "message", "delete").want(t, exitUsage, `by their ids, or by --select`)
		dtask(t, url, "message", "delete", ids[0], "--select", "state:dead", "--yes").want(t, exitUsage, `by their ids, or by --select`)
		left(4)
		dtask(t, url, "dead", "retry", "error~timeout", asked("2\n")).want(t, exitOK, `2 messages retried$`)
		left(2)
		dtask(t, url, "dead", "retry", "error~timeout", "--yes").want(t, exitNothing, `no message is selected`)
		dtask(t, url, "message", "move", ids[3], "--to", "attic", "--yes").want(t, exitOK, `1 message moved to attic`)
		dtask(t, url, "dead", "list", "queue:attic").want(t, exitOK, `^`+ids[3]+` +images.Rotate +attic `)
		dtask(t, url, "message", "delete", ids[2], "--yes").want(t, exitOK, `1 message deleted`)
		left(1)
		dtask(t, url, "dead", "delete", "--yes").want(t, exitOK, `1 message deleted`)
		left(0)
		dtask(t, url, "queue", "pause", "mail").want(t, exitOK, `queue mail is paused`)
		dtask(t, url, "queues").want(t, exitOK, `^mail .* paused$`)
		dtask(t, url, "queue", "purge", "mail").want(t, exitUsage, `of queue mail are to be deleted; add --yes`)
		dtask(t, url, "queue", "purge", "mail", "--yes").want(t, exitOK, `^4 messages deleted$`)
		dtask(t, url, "queue", "resume", "mail").want(t, exitOK, `queue mail is resumed`)
		dtask(t, url, "queue", "purge", "nowhere", "--yes").want(t, exitNothing, `no queue "nowhere"`)
	})
}

// Two operators retry the same dead letters at once: each letter once.
func TestTwoOperators(t *testing.T) {
	onBrokers(t, func(t *testing.T, url string, _ []string) {
		var both sync.WaitGroup
		var results [2]result
		for i := range results {
			both.Go(func() { results[i] = dtask(t, url, "dead", "retry", "queue:mail", "--yes") })
		}
		both.Wait()
		total := 0
		for _, r := range results {
			n := 0
			if _, err := fmt.Sscanf(r.err[strings.LastIndex(r.err[:max(0, strings.LastIndex(r.err, " message"))], "\n")+1:], "%d message", &n); err != nil && r.code != exitNothing {
				t.Errorf("%+v: %v", r, err)
			}
			total += n
		}
		b := openBroker(t, url)
		defer b.Close()
		brokertest.Eventually(t, func() string {
			if s := brokertest.State(t, b, "mail"); s.Ready != 4 || s.Dead != 0 {
				return fmt.Sprintf("state %+v, want the three and one that was ready", s)
			}
			return ""
		})
		if total != 3 {
			t.Errorf("the two retried %d, want 3: %+v", total, results)
		}
	})
}

func TestEdit(t *testing.T) {
	onBrokers(t, func(t *testing.T, url string, ids []string) {
		alive(t, url)
		t.Setenv("TMPDIR", t.TempDir())
		t.Setenv(editorEnv, "nothing=>else")
		dtask(t, url, "dead", "edit", ids[0]).want(t, exitOK, `the arguments are what they were`)
		t.Setenv(editorEnv, `"id": 0=>"id": oops`)
		dtask(t, url, "dead", "edit", ids[0]).want(t, exitFailed, `nothing was stored: arguments, line 3: no JSON: .*your text is in `)
		t.Setenv(editorEnv, `"id": 0=>"id": 70`)
		dtask(t, url, "message", "edit", ids[0], "--retry").want(t, exitOK, `1 message edited`, `1 message retried`)
		b := openBroker(t, url)
		defer b.Close()
		c := brokertest.Consume(t, b, "mail", 1)
		for range 2 { // one was there before
			d := brokertest.Receive(t, c)
			if m := d.Message(); m.ID == ids[0] && string(m.Body) != `{"user":{"id":70},"to":"a@b.org"}` {
				t.Errorf("edited to %s", m.Body)
			}
			d.Settle(broker.Settlement{Verdict: broker.Done})
		}
		dtask(t, url, "message", "edit", "nobody").want(t, exitNothing, `no message has this id`)
	})
}

// Two workers are listed with what they run. Who runs an old build is found.
func TestWorkers(t *testing.T) {
	onBrokers(t, func(t *testing.T, url string, _ []string) {
		dtask(t, url, "workers").want(t, exitOK, `^none$`)
		b := openBroker(t, url)
		defer b.Close()
		for i, revision := range []string{"0123456789abcdef", "fedcba9876543210"} {
			p := broker.Process{
				ID: revision, Host: "host\x1b[2J", PID: 70 + i, Started: time.Now().Add(-time.Hour), Build: broker.Build{Version: "(devel)", Revision: revision}, State: broker.ProcessWorking,
				Tasks:  []broker.ProcessTask{{Name: "acme.org/shop/mail.Send", Schema: revision[:4]}},
				Queues: []broker.ProcessQueue{{Name: "images", Concurrency: 2}, {Name: "mail", Concurrency: 10}}, Done: 5,
				RunningTotal: 1, Running: []broker.ProcessRunning{{ID: "id" + revision[:1], Task: "acme.org/shop/mail.Send", Queue: "mail", Attempt: 2, Since: time.Now().Add(-time.Minute)}},
			}
			if _, err := b.(broker.Registry).Announce(brokertest.Context(t), p); err != nil {
				t.Fatal(err)
			}
		}
		dtask(t, url, "workers").want(t, exitOK, `^HOST +PID +UP +BUILD +STATE +QUEUES +RUNNING +DONE +RETRIED +DEAD$`, `^host\\x1b\[2J +70 +\S+ +0123456789ab +working +images=2,mail=10 +1 +5 +0 +0$`, ` 71 `)
		dtask(t, url, "workers", "--running").want(t, exitOK, `^id0 +mail.Send +mail +2 +1m +host\S+ +70$`, `^idf `)
		if r := dtask(t, url, "workers", "--schema", "fedc"); strings.Contains(r.out, " 70 ") || !strings.Contains(r.out, " 71 ") {
			t.Errorf("workers of an old build: %+v", r)
		}
		var ps []broker.Process
		if r := dtask(t, url, "workers", "-o", "json"); json.Unmarshal([]byte(r.out), &ps) != nil || len(ps) != 2 || ps[0].Tasks[0].Schema != "0123" {
			t.Errorf("workers in JSON: %+v", r)
		}
	})
}

// Text of others does not reach the terminal as it is, nor all of it.
func TestHostile(t *testing.T) {
	const evil = "a\x1b[2Jb\u202ec\u009b31md\re\nf\xffg\x00"
	onBrokers(t, func(t *testing.T, url string, _ []string) {
		b := openBroker(t, url)
		m := brokertest.Message("evil")
		m.Body = []byte(`{"n":"` + "\u202e\u009b31m\U000e0041" + strings.Repeat("x", 900_000) + `"}`)
		m.Headers = map[string]string{"h": evil[:20]}
		id := kill(t, b, m, evil[:8], strings.Repeat(evil, 40))
		waitDead(t, b, "evil", 1)
		b.Close()
		for _, format := range formats {
			for _, args := range [][]any{
				{"dead", "list", "queue:evil"},
				{"message", "show", id},
				{"message", "show", id, "--reveal"},
				{"counts", "state:dead"},
				{"queues"},
				{"dead", "retry", "queue:evil"},
				{"dead", "list", "task:" + evil},
				{"message", "show", evil},
				{"queue", "purge", evil},
				{"queue", "pause", evil},
				{evil},
				{"queues", "--" + evil},
			} {
				r := dtask(t, url, append(args, "-o", format)...)
				all := r.out + r.err
				if !utf8.ValidString(all) || strings.ContainsFunc(all, func(c rune) bool { return c != '\n' && !unicode.IsPrint(c) }) {
					t.Errorf("%q as %s prints %.2000q", args, format, all)
				}
				if format == "table" && len(all) > 100_000 {
					t.Errorf("%q prints %d bytes", args, len(all))
				}
			}
		}
		var whole []wholeRecord
		if r := dtask(t, url, "message", "show", id, "--reveal", "-o", "json"); json.Unmarshal([]byte(r.out), &whole) != nil || !strings.HasPrefix(whole[0].Arguments.(map[string]any)["n"].(string), "\u202e\u009b31m\U000e0041xx") {
			t.Errorf("escaped JSON does not mean the same: %.200q", r.out)
		}
	})
}

// An interrupted change says how far it came.
func TestInterrupted(t *testing.T) {
	onBrokers(t, func(t *testing.T, url string, _ []string) {
		ctx, cancel := context.WithCancel(brokertest.Context(t))
		defer cancel()
		var errs bytes.Buffer
		r := dtask(t, url, ctx, writerFunc(func(p []byte) (int, error) {
			if errs.Write(p); strings.Contains(errs.String(), "1 of 4") {
				cancel()
			}
			return len(p), nil
		}), "dead", "retry", "--rate", "1", "--yes")
		result{r.code, "", errs.String()}.want(t, exitInterrupted, `1 message retried, 3 are left: context canceled; the same command goes on`)
		dtask(t, url, "dead", "retry", "--yes").want(t, exitOK, `^3 messages retried$`)
	})
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestUnsupported(t *testing.T) {
	url := rabbittest.URL(t)
	fill(t, url)
	r := dtask(t, url, "messages", "--peek", "mail", "--limit", "5")
	r.want(t, exitOK, `the workers get the first 5 messages of mail again`, `^\S+ +pkg.Task +mail +ready `)
	for _, args := range [][]any{{"messages"}, {"messages", "state:ready"}, {"counts"}, {"message", "delete", "--select", "queue:mail", "--yes"}} {
		if r := dtask(t, url, args...); args[0] == "messages" && !strings.Contains(r.err, "messages --peek QUEUE") {
			t.Errorf("%v does not say what can be looked at: %s", args, r.err)
		}
		dtask(t, url, args...).want(t, exitUnsupported, `RabbitMQ shows and changes only dead letters \(state:dead\)`)
	}
}

// Mistakes are errors of use in one line, and show no password.
func TestUse(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "tasks.db")
	for _, c := range []struct {
		args []any
		want string
	}{
		{[]any{"quees"}, `no command "quees"; did you mean queue`},
		{[]any{"dead", "zzz"}, `no command "zzz"; dtask dead -h lists them`},
		{[]any{"queue", "pause"}, `accepts 1 arg\(s\), received 0; the use is: dtask queue pause NAME`},
		{[]any{"dead", "retry", "--ys"}, `unknown flag: --ys`},
		{[]any{"messages", "taks:x"}, `unknown field "taks"; did you mean task`},
		{[]any{"queues", "-o", "yaml"}, `output "yaml": use table, json, jsonl, csv`},
		{[]any{"queue", "pause", "a b"}, `queue name "a b"`},
		{[]any{"message", "move", "x"}, `--to: queue name ""`},
		{[]any{"messages", "--limit", "-1"}, `limit -1`},
		{[]any{"dead", "retry", "--rate", "-1"}, `rate -1`},
	} {
		r := dtask(t, url, c.args...)
		r.want(t, exitUsage, c.want)
		if strings.Count(r.err, "\n") != 1 || r.out != "" {
			t.Errorf("%q prints %q and %q, want one line", c.args, r.out, r.err)
		}
	}
	dtask(t, "", "queues").want(t, exitUsage, `no broker; set --url or DTASK_URL`)
	dtask(t, "", "queues", "-url", url).want(t, exitOK, `none`)
	for _, url := range []string{"amqp://u:SECRET@127.0.0.1:1/x%zz", "nats://u:SECRET@h", "u:SECRET@h"} {
		if r := dtask(t, url, "queues"); strings.Contains(r.err, "SECRET") || r.code != exitFailed {
			t.Errorf("%+v", r)
		}
	}
	dtask(t, url, "-h").want(t, exitOK, `Exit codes: 0 done`)
	dtask(t, url, "help", "select").want(t, exitOK, `args\.user\.id:7`)
}

func TestCompletion(t *testing.T) {
	onBrokers(t, func(t *testing.T, url string, _ []string) {
		dtask(t, url, "__complete", "queue", "pause", "").want(t, exitOK, `^images$`, `^mail$`)
		dtask(t, url, "__complete", "dead", "list", "queue:").want(t, exitOK, `^queue:mail$`)
		dtask(t, url, "__complete", "messages", "state:").want(t, exitOK, `^state:dead$`)
		dtask(t, url, "__complete", "message", "move", "--to", "").want(t, exitOK, `^mail$`)
	})
	dtask(t, "sqlite:/nowhere/x.db", "__complete", "queue", "pause", "").want(t, exitOK, `^:4$`)
}

// Every command has an example that is one of its own.
func TestHelp(t *testing.T) {
	var look func(path []any)
	look = func(path []any) {
		r := dtask(t, "", append(path, "-h")...)
		words := append([]any{"  dtask"}, path...)
		r.want(t, exitOK, `Examples:`, regexp.QuoteMeta(strings.TrimSpace(fmt.Sprintln(words...))))
		_, list, _ := strings.Cut(r.out, "Available Commands:\n")
		list, _, _ = strings.Cut(list, "\n\n")
		for line := range strings.Lines(list) {
			if name := strings.Fields(line)[0]; name != "completion" && name != "help" {
				look(append(path[:len(path):len(path)], name))
			}
		}
	}
	look(nil)
}
