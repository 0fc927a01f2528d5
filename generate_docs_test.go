package generate_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// TestDiagnosticsDocs runs the examples of docs/diagnostics.md. The Go blocks
// before a text block are a package, and the text is what dtaskgen prints.
func TestDiagnosticsDocs(t *testing.T) {
	t.Parallel()
	const file = "docs/diagnostics.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c := &testCase{archive: new(txtar.Archive), name: "docs", dir: t.TempDir()}
	c.extract(t)

	type example struct {
		start, end int // of what is printed, in text
		section    string
		got        string
	}
	examples := []*example{{}}
	heading := regexp.MustCompile(`(?m)^## (.*)$`)
	block := regexp.MustCompile("(?ms)^```(go (\\S+)|text)\n(.*?)^```$")
	for _, m := range block.FindAllSubmatchIndex(text, -1) {
		last := examples[len(examples)-1]
		if m[4] >= 0 {
			name := fmt.Sprintf("e%02d/%s", len(examples)-1, text[m[4]:m[5]])
			c.write(t, name, string(text[m[6]:m[7]]))
			continue
		}
		headings := heading.FindAllSubmatch(text[:m[0]], -1)
		last.start, last.end, last.section = m[6], m[7], string(headings[len(headings)-1][1])
		examples = append(examples, &example{})
	}
	examples = examples[:len(examples)-1]

	r := command(t, c.dir, []string{"GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off", "CGO_ENABLED=1"}, dtaskgen, "./...")
	prefix := regexp.MustCompile(`(?m)^(\t?)e(\d\d)/`)
	current := 0
	for line := range strings.Lines(filepath.ToSlash(r.stderr)) {
		if m := prefix.FindStringSubmatch(line); m != nil && m[1] == "" {
			fmt.Sscanf(m[2], "%d", &current)
		}
		examples[current].got += prefix.ReplaceAllString(line, "$1")
	}

	if *update {
		for _, e := range slices.Backward(examples) {
			text = slices.Concat(text[:e.start], []byte(e.got), text[e.end:])
		}
		if err := os.WriteFile(file, text, 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	for _, e := range examples {
		if want := string(text[e.start:e.end]); e.got != want || want == "" {
			t.Errorf("%s: dtaskgen prints\n%s\nthe example says\n%s", e.section, e.got, want)
		}
	}
}

// Each kind of diagnostic has a section in docs/diagnostics.md. Other sections are of
// rules of changes.
func TestEveryCodeIsDocumented(t *testing.T) {
	source, err := os.ReadFile("internal/diagnostic/codes.go")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("docs/diagnostics.md")
	if err != nil {
		t.Fatal(err)
	}
	find := func(expr string, text []byte) (found []string) {
		for _, m := range regexp.MustCompile(expr).FindAllSubmatch(text, -1) {
			found = append(found, string(m[1]))
		}
		slices.Sort(found)
		return found
	}
	rules, err := os.ReadFile("internal/schema/rules.go")
	if err != nil {
		t.Fatal(err)
	}
	codes, sections := find(`Code = "(.*)"`, source), find(`(?m)^## (.*)$`, docs)
	some := find(`"(FIELD_[A-Z_]*)"`, rules) // changing-tasks.md has them all
	for _, code := range codes {
		if !slices.Contains(sections, code) {
			t.Errorf("no section %s", code)
		}
	}
	for _, section := range sections {
		if !slices.Contains(codes, section) && !slices.Contains(some, section) {
			t.Errorf("section %s is of no code", section)
		}
	}
}
