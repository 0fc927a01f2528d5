package console

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/schema"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	core "github.com/dtaskhq/dtask/runtime/dtask" // dtask is the command here
	"github.com/dtaskhq/dtask/runtime/operate"
)

type rotateArgs struct {
	File string `json:"file"`
	Size struct {
		Width int64 `json:"width"`
	} `json:"size"`
}

// rotate is what a program knows of a task of its own.
func rotate(t *testing.T) operate.Task {
	t.Helper()
	fields, err := schema.Parse([]string{"file string", "size Size", "Size.width int64"})
	if err != nil {
		t.Fatal(err)
	}
	task := core.Define[rotateArgs, core.None]("acme.org/shop/images.Turn", core.Spec{Queue: "images", Schema: fields.Fingerprint(), Fields: fields.Lines()})
	return operate.Own(core.Table{task.Bind(func(context.Context, rotateArgs) (core.None, error) { return core.None{}, nil })})[0]
}

// A program that has the task shows the types in the editor, and stores nothing that does
// not decode exactly: no wrong type, no field too many, none too few. A message of
// another build, and one of another task, it stores as any JSON object.
func TestEditKnowsTypes(t *testing.T) {
	onBrokers(t, func(t *testing.T, url string, ids []string) {
		t.Setenv("TMPDIR", t.TempDir())
		seen := filepath.Join(t.TempDir(), "seen")
		t.Setenv(seenEnv, seen)
		own := rotate(t)
		b := openBroker(t, url)
		m := brokertest.Message("images")
		m.Task, m.Schema, m.Body = own.Name, own.Spec.Schema, []byte(`{"file":"a.png","size":{"width":10}}`)
		id := kill(t, b, m, broker.FailureError, "no space left")
		waitDead(t, b, "images", 2)
		b.Close()
		edit := func(change, id string, code int, pattern string) {
			t.Helper()
			t.Setenv(editorEnv, change)
			r := dtask(t, url, "message", "edit", id, "--reveal", []operate.Task{own})
			r.want(t, code, pattern)
		}
		edit(`10=>"wide"`, id, exitFailed, `nothing was stored: .*size.width`)
		edit(`10=>10.5`, id, exitFailed, `nothing was stored: `)
		edit(`"width": 10=>"width": 10, "height": 7`, id, exitFailed, `nothing was stored: .*height`)
		edit(`"file": "a.png",=>`, id, exitFailed, `nothing was stored: .*file`)
		text, err := os.ReadFile(seen)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"# They are stored only if they are of these types:", "#   file string", "#   size Size", "#   Size.width int64"} {
			if !strings.Contains(string(text), line+"\n") {
				t.Errorf("the editor does not show %q:\n%s", line, text)
			}
		}
		edit(`10=>20`, id, exitOK, `1 message edited`)
		dtask(t, url, "message", "show", id, "--reveal").want(t, exitOK, `"width": 20`)
		edit(`"id": 3=>"id": "x"`, ids[3], exitOK, `1 message edited`)
		if text, err := os.ReadFile(seen); err != nil || strings.Contains(string(text), "types") {
			t.Errorf("types of a task that this program does not have: %s, %v", text, err)
		}
	})
}
