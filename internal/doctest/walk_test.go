package doctest

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
)

var update = flag.Bool("update", false, "rewrite what the commands of the pages print")

// walked are the pages that are done as they stand, one after the other in the
// same module: files are written, commands are run, and what follows a command in
// a block of text is what it prints.
var walked = []string{"docs/quick-start.md", "docs/testing.md", "docs/changing-tasks.md"}

func TestWalk(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		skip.Test(t, "builds and runs programs")
	}
	w := walk{module: newModule(t, "example.com/shop")}
	for _, name := range walked {
		p := pageNamed(t, name)
		for i, b := range p.blocks {
			switch {
			case b.file != "":
				write(t, w.dir, b.file, b.text)
			case b.lang == "sh":
				out := w.do(t, p, b)
				if i+1 < len(p.blocks) && p.blocks[i+1].lang == "text" {
					p.compare(t, p.blocks[i+1], out)
				}
			}
		}
	}
}

// A walk is a module, and what commands have exported to those after them.
type walk struct {
	module
	exported string
}

// do runs the commands of a block. That the block fails is part of the page, if
// what it prints says "exit status".
func (w *walk) do(t *testing.T, p page, b block) string {
	t.Helper()
	var script strings.Builder
	for line := range strings.Lines(b.text) {
		switch {
		case strings.HasPrefix(line, "export "):
			w.exported += line
		case regexp.MustCompile(`^(mkdir|cd|go mod init|go get) `).MatchString(line):
			// newModule did that, from this repository.
		default:
			script.WriteString(line)
		}
	}
	out, err := w.run(t, w.exported+script.String())
	if err != nil && !strings.Contains(out, "exit status") {
		t.Fatalf("%s:%d: %v\n%s", p.name, b.line, err, out)
	}
	return out
}

// compare compares what is shown with what was printed, but for times and ids.
func (p page) compare(t *testing.T, shown block, out string) {
	t.Helper()
	if steady(shown.text) == steady(out) {
		return
	}
	if *update {
		file := filepath.Join(root, p.name)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(text), "\n")
		at := strings.Join(lines[:shown.line-1], "")
		after := strings.TrimPrefix(string(text)[len(at):], shown.text)
		if err := os.WriteFile(file, []byte(at+out+after), 0o666); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s:%d: rewritten; run again if there are more", p.name, shown.line)
		t.FailNow()
	}
	t.Errorf("%s:%d: the page shows\n%s\nand what comes is\n%s", p.name, shown.line, shown.text, out)
}

// steady replaces what differs from one run to the next.
func steady(text string) string {
	for _, r := range []struct{ expr, by string }{
		{`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22,}`, "ID"},
		{`\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d[.0-9]*(Z|[+-]\d\d:\d\d)?`, "TIME"},
		{`\b\d+(\.\d+)?(ns|µs|ms|s)\b`, "TOOK"},
		{`pid=\d+`, "pid=N"},
		{`\(cached\)`, "TOOK"},
		{`left \d{4}-\d\d-\d\d`, "left DAY"},
		{`(?m)[ \t]+`, " "},
	} {
		text = regexp.MustCompile(r.expr).ReplaceAllString(text, r.by)
	}
	return strings.TrimSpace(text)
}
