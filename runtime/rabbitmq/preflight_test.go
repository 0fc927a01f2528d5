package rabbitmq_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/worker"
)

// Preflight of two builds on RabbitMQ: of what the first one has sent and delayed, the
// second one runs some, and refuses some.
func TestPreflight(t *testing.T) {
	url := rabbittest.URL(t)
	type args struct {
		Text string `json:"text"`
	}
	build := func(specs map[string]dtask.Spec) (tasks map[string]dtask.Task[args, dtask.None], table dtask.Table) {
		tasks = make(map[string]dtask.Task[args, dtask.None])
		for name, spec := range specs {
			spec.Queue = "mail"
			tasks[name] = dtask.Define[args, dtask.None](name, spec)
			table = append(table, tasks[name].Bind(func(context.Context, args) (dtask.None, error) { return dtask.None{}, nil }))
		}
		return tasks, table
	}
	first, _ := build(map[string]dtask.Spec{"mail.Send": {Schema: "1"}, "mail.Print": {Schema: "1"}})
	_, same := build(map[string]dtask.Spec{"mail.Send": {Schema: "2", Earlier: []dtask.Earlier{{Schema: "1"}}}, "mail.Print": {Schema: "1"}})
	_, changed := build(map[string]dtask.Spec{"mail.Send": {Schema: "2", Earlier: []dtask.Earlier{{Schema: "1", Refused: "it is other"}}}, "mail.Print": {Schema: "1"}})
	b := open(t, url)
	ctx := dtask.NewContext(t.Context(), dtask.NewClient(b))
	preflight := func(want int, mention string, table dtask.Table) {
		t.Helper()
		code, out := printed(t, func() int { return worker.Run([]string{"-url", url, "preflight"}, table) })
		if code != want || !strings.Contains(out, mention) {
			t.Errorf("exit code %d, want %d and %q in\n%s", code, want, mention, out)
		}
	}
	preflight(0, "", changed) // nothing is there
	if _, err := first["mail.Print"].Delay(ctx, args{"a"}); err != nil {
		t.Fatal(err)
	}
	preflight(0, "mail.Print", changed)
	if _, err := first["mail.Send"].Delay(ctx, args{"a"}, dtask.In(48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	preflight(0, "mail.Send", same)
	preflight(1, "handed back: this build cannot run it: it is other", changed)

	// A task that the second build does not have at all.
	enqueue(t, b, message("other"))
	preflight(1, "this program has no such task", same)
}

// printed returns what f prints to the standard output.
func printed(t *testing.T, f func() int) (int, string) {
	t.Helper()
	old := os.Stdout
	path := filepath.Join(t.TempDir(), "stdout")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout = file
	code := f()
	os.Stdout = old
	file.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return code, string(text)
}
