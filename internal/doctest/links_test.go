package doctest

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)|<img src="([^"]+)"`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	code    = regexp.MustCompile("(?s)`[^`\n]*`")
)

// TestLinks checks that each link to a file or a heading of the repository leads
// there, and that each link elsewhere is a URL.
func TestLinks(t *testing.T) {
	all := make(map[string]page)
	for _, p := range pages(t) {
		all[p.name] = p
	}
	for _, p := range all {
		prose := code.ReplaceAllString(fence.ReplaceAllString(p.text, ""), "code")
		for _, m := range link.FindAllStringSubmatch(prose, -1) {
			target := m[1] + m[2]
			u, err := url.Parse(target)
			if err != nil || u.Scheme != "" && u.Host == "" {
				t.Errorf("%s: %s is no URL", p.name, target)
				continue
			}
			if u.Scheme != "" {
				continue
			}
			name := p.name
			if u.Path != "" {
				name = path.Join(path.Dir(p.name), u.Path)
			}
			if _, err := os.Stat(filepath.Join(root, name)); err != nil {
				t.Errorf("%s: %s leads nowhere", p.name, target)
			} else if u.Fragment != "" && !anchors(all[name])[u.Fragment] {
				t.Errorf("%s: %s: no such heading in %s", p.name, target, name)
			}
		}
	}
}

// anchors returns the anchors of a page's headings, as forges make them.
func anchors(p page) map[string]bool {
	found := make(map[string]bool)
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(p.text, ""), -1) {
		found[strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, m[1])] = true
	}
	return found
}

// TestEveryPageIsLinked finds pages that no other page leads to.
func TestEveryPageIsLinked(t *testing.T) {
	linked := make(map[string]bool)
	all := pages(t)
	for _, p := range all {
		for _, m := range link.FindAllStringSubmatch(p.text, -1) {
			file, _, _ := strings.Cut(m[1], "#")
			linked[path.Join(path.Dir(p.name), file)] = true
			linked[path.Join(path.Dir(p.name), file, "README.md")] = true
		}
	}
	for _, p := range all {
		if !linked[p.name] && p.name != "README.md" {
			t.Errorf("no page links to %s", p.name)
		}
	}
}
