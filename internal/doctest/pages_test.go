package doctest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// root is the directory of the repository.
const root = "../.."

// A page is a file of Markdown.
type page struct {
	name   string // relative to root
	text   string
	blocks []block
}

// A block is a fenced block of a page.
type block struct {
	lang string // go, sh, text
	file string // the second word after the fence: the file that the block is
	text string
	line int // of its first line of text
}

// pages returns all pages of the repository.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	for _, pattern := range []string{"*.md", "docs/*.md", "example/*.md", "example/*/*.md"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			name, _ = filepath.Rel(root, name)
			p := page{name: filepath.ToSlash(name), text: string(text)}
			p.blocks = blocks(p.text)
			all = append(all, p)
		}
	}
	if !slices.ContainsFunc(all, func(p page) bool { return p.name == "README.md" }) {
		t.Fatal("no README.md")
	}
	return all
}

// pageNamed returns one page.
func pageNamed(t *testing.T, name string) page {
	t.Helper()
	for _, p := range pages(t) {
		if p.name == name {
			return p
		}
	}
	t.Fatalf("no page %s", name)
	return page{}
}

var fence = regexp.MustCompile("(?ms)^( *)```(\\w*) ?(\\S*)\n(.*?)^ *```$")

func blocks(text string) (found []block) {
	for _, m := range fence.FindAllStringSubmatchIndex(text, -1) {
		indent := text[m[2]:m[3]]
		found = append(found, block{
			lang: text[m[4]:m[5]],
			file: text[m[6]:m[7]],
			text: regexp.MustCompile("(?m)^"+indent).ReplaceAllString(text[m[8]:m[9]], ""),
			line: strings.Count(text[:m[8]], "\n") + 1,
		})
	}
	return found
}

// write writes a file below dir.
func write(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
