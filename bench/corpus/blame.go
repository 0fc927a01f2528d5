package corpus

import (
	"path/filepath"
	"regexp"
	"strings"
)

// blame returns the marks that a diagnostic is about: the mark whose function it is
// in, or the one that it names, or otherwise all marks of the package.
func blame(d diagnostic, marks []*mark) []*mark {
	dir := filepath.Dir(d.File)
	var named, all []*mark
	for _, m := range marks {
		if m.file == d.File && m.first <= d.Line && d.Line <= m.end {
			return []*mark{m}
		}
		if m.dir == dir {
			all = append(all, m)
			if strings.HasPrefix(d.Message, m.name+":") || strings.HasPrefix(d.Message, m.name+" ") || strings.HasSuffix(d.Message, "task "+m.name) {
				named = append(named, m)
			}
		}
	}
	if len(named) > 0 {
		return named
	}
	return all
}

// wireReasons sort the refusals of what does not survive the wire.
var wireReasons = []struct {
	reason  string
	pattern *regexp.Regexp
}{
	{"interface", regexp.MustCompile(`is an interface, which|: any comes back`)},
	{"error", regexp.MustCompile(`: an error cannot be decoded`)},
	{"context in a struct", regexp.MustCompile(`: a context belongs`)},
	{"unexported field", regexp.MustCompile(`unexported|has fields that would be lost`)},
	{"function", regexp.MustCompile(`: a function cannot leave`)},
	{"channel", regexp.MustCompile(`: a channel cannot leave`)},
	{"belongs to the process or a connection", regexp.MustCompile(`belongs to |is a stream or has`)},
	{"key of a map", regexp.MustCompile(`JSON has no keys of|: a key of type`)},
	{"pointer to what may be nil itself", regexp.MustCompile(`would come back nil where`)},
	{"half a pair of marshalling methods", regexp.MustCompile(` has (a|an) (Unm|M)arshal\w+ and no `)},
}

// reason returns the kind of a diagnostic for the report.
func reason(d diagnostic) string {
	if d.Code != "wire" {
		return d.Code
	}
	for _, r := range wireReasons {
		if r.pattern.MatchString(d.Message) {
			return "wire: " + r.reason
		}
	}
	return "wire: other"
}
