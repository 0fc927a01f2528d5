package templates_test

import (
	"slices"
	"testing"

	"github.com/dtaskhq/dtask/internal/scan"
	"github.com/dtaskhq/dtask/templates"
)

// What is written is read back.
func TestDefinitions(t *testing.T) {
	task := &scan.Task{
		Name:   "example.com/mail.Send",
		Func:   "Send",
		Names:  scan.Names{Args: "SendArgs", Task: "SendTask", Delay: "DelaySend"},
		Params: []scan.Param{{Name: "to", Type: scan.Type{{Text: "string"}}}},
		Wire:   []string{"to string", "cc []string"},
		Schema: "0123456789abcdef",
	}
	src, err := templates.Render(&scan.Package{Path: "example.com/mail", Name: "mail", Tasks: []*scan.Task{task}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	found := templates.Definitions("mail/dtask_gen.go", src)
	d, ok := found[task.Name]
	if !ok || len(found) != 1 {
		t.Fatalf("read %v from\n%s", found, src)
	}
	if d.Schema != task.Schema || !slices.Equal(d.Wire, task.Wire) || d.Pos.Filename != "mail/dtask_gen.go" || d.Pos.Line == 0 {
		t.Errorf("read %+v from\n%s", d, src)
	}
	if damaged := templates.Definitions("dtask_gen.go", src[:len(src)/2]); len(damaged) != 0 {
		t.Errorf("read %v from half a file", damaged)
	}
}
