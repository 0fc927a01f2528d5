package sqlite

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/dtaskhq/dtask/internal/limit"
)

// scheme is the URL scheme of this broker.
const scheme = "sqlite"

// target is what a URL names: a file, and the tables in it.
type target struct {
	file      string // absolute path
	namespace string // the names of all tables and indexes begin with it
}

// parseURL returns what a URL of this broker names.
func parseURL(u string) (target, error) {
	path, ok := strings.CutPrefix(u, scheme+":")
	if !ok {
		return target{}, fmt.Errorf("broker URL %q: want sqlite:FILE", showable(u))
	}
	path, query, _ := strings.Cut(path, "?")
	if name, ok := strings.CutPrefix(path, "file:"); ok {
		return target{}, fmt.Errorf("broker URL %q has a URL of SQLite's own drivers in it; use %s", showable(u), showable("sqlite:"+name))
	}
	namespace, err := parseParams(query)
	if err != nil {
		return target{}, fmt.Errorf("broker URL %q: %w", showable(u), err)
	}
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		if !strings.HasPrefix(rest, "/") {
			return target{}, fmt.Errorf("broker URL %q names a host; use %s for a relative or %s for an absolute path", showable(u), showable("sqlite:"+rest), showable("sqlite:///"+rest))
		}
		path = rest
		if len(path) > 2 && path[2] == ':' { // ///C:/tasks.db
			path = path[1:]
		}
	}
	if path, err = url.PathUnescape(path); err != nil {
		return target{}, fmt.Errorf("broker URL %q: %w; write a percent sign in a file name as %%25", showable(u), errors.New("a '%' is not that of an escape"))
	}
	if path == "" || path == ":memory:" {
		return target{}, fmt.Errorf("broker URL %q names no file; use sqlite:tasks.db, or in tests an inline client", showable(u))
	}
	file, err := filepath.Abs(path)
	return target{file, namespace}, err
}

// showable returns what an error may show of a URL: it may be the one of another
// broker, with a password.
func showable(u string) string {
	path, _, parameters := strings.Cut(u, "?")
	switch {
	case strings.Contains(path, "@"):
		return scheme + ":…"
	case parameters:
		return path + "?…"
	}
	return path
}

// parseParams returns the namespace that the parameters of a URL name.
func parseParams(query string) (namespace string, err error) {
	params, err := url.ParseQuery(query)
	if err != nil {
		return "", errors.New("the parameters after '?' are not percent-encoded; write a question mark in a file name as %3F")
	}
	namespace = defaultNamespace
	for name, values := range params {
		switch {
		case name != "namespace":
			return "", fmt.Errorf("unknown parameter %.40q; known is namespace; write a question mark in a file name as %%3F", name)
		case len(values) > 1:
			return "", errors.New("parameter namespace is given twice")
		}
		namespace = values[0]
	}
	if remedy, ok := limit.Namespace(namespace); !ok {
		return "", fmt.Errorf("namespace %.80q: %s", namespace, remedy)
	}
	return namespace, nil
}

// dsn returns the URI by which SQLite opens the file.
func (t target) dsn() string {
	path := filepath.ToSlash(t.file)
	if !strings.HasPrefix(path, "/") { // C:/tasks.db
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}
