package dtasktest

import (
	"context"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

// Upcast returns the arguments with which a task runs for a message of an earlier
// version: body is the JSON of its arguments, and schema their fingerprint, as
// dtask.lock has both. It is for tests of functions that //dtask:upcast marks. If a
// worker would not run such a message, the test fails with the reason.
//
//	args := dtasktest.Upcast(t, mail.SendWelcomeTask, "91ab33f07c2e88d4", `{"to":"a@example.com"}`)
func Upcast[A, R any](t testing.TB, task dtask.Task[A, R], schema, body string) (args A) {
	t.Helper()
	bound := task.Bind(func(_ context.Context, a A) (r R, err error) {
		args = a
		return r, nil
	})
	m := &broker.Message{ID: "upcast", Task: task.Name(), Schema: schema, Body: []byte(body), Attempt: 1, Attempts: 1}
	if _, err := inside.Attempt(t.Context(), dtask.NewClient(memory{}), bound, m); err != nil {
		t.Fatalf("%s does not run a message of schema %s: %v", task.Name(), schema, err)
	}
	return args
}
