package sqlite

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/limit"
	"github.com/dtaskhq/dtask/runtime/broker"
)

func TestParseURL(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ url, file, err string }{ // in the default namespace
		{"sqlite:tasks.db", filepath.Join(here, "tasks.db"), ""},
		{"sqlite:./a/../tasks.db", filepath.Join(here, "tasks.db"), ""},
		{"sqlite:/var/lib/tasks.db", "/var/lib/tasks.db", ""},
		{"sqlite:///var/lib/tasks.db", "/var/lib/tasks.db", ""},
		{"sqlite:with%20space%3F100%25.db", filepath.Join(here, "with space?100%.db"), ""},
		{"sqlite:größe.db", filepath.Join(here, "größe.db"), ""},
		{"sqlite://tasks.db", "", "names a host; use sqlite:tasks.db"},
		{"sqlite:", "", "names no file"},
		{"sqlite:///", "/", ""}, // a directory: for SQLite to refuse
		{"sqlite::memory:", "", "names no file"},
		{"sqlite:file:tasks.db?mode=ro", "", "use sqlite:tasks.db"},
		{"sqlite:file:///var/lib/tasks.db", "", "use sqlite:///var/lib/tasks.db"},
		{"sqlite:./file:tasks.db", filepath.Join(here, "file:tasks.db"), ""},
		{"sqlite:tasks.db?", filepath.Join(here, "tasks.db"), ""},
		{"sqlite:tasks.db?namespace=dtask", filepath.Join(here, "tasks.db"), ""},
		{"sqlite:tasks.db?mode=ro", "", `unknown parameter "mode"; known is namespace`},
		{"sqlite:tasks.db?%", "", "write a question mark in a file name as %3F"},
		{"sqlite:tasks.db?namespace=a&namespace=b", "", "given twice"},
		{"sqlite:tasks.db?namespace=", "", `namespace "": use a lower-case letter`},
		{"sqlite:tasks.db?namespace=7up", "", `namespace "7up": use a lower-case letter`},
		{"sqlite:tasks.db?namespace=a-b", "", `namespace "a-b": use a lower-case letter`},
		{"sqlite:tasks.db?namespace=sqlite_x", "", "not amq or sqlite"},
		{"sqlite:tasks.db?namespace=" + strings.Repeat("n", limit.MaxNamespace+1), "", "up to 39 lower-case letters"},
		{"sqlite:100%.db", "", "write a percent sign in a file name as %25"},
		{"sqlit:tasks.db", "", "want sqlite:FILE"},
	} {
		if runtime.GOOS == "windows" && strings.HasPrefix(c.file, "/") {
			continue
		}
		got, err := parseURL(c.url)
		switch {
		case c.err != "":
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %q", c.url, err, c.err)
			}
		case err != nil || got != at(c.file):
			t.Errorf("%s: %+v, %v, want %+v", c.url, got, err, at(c.file))
		}
	}
}

func TestOpenOddNames(t *testing.T) {
	for _, name := range []string{"a b.db", "100%.db", "größe.db", "a#b.db", "a;b'c\".db", "a?b.db"} {
		if runtime.GOOS == "windows" && strings.ContainsAny(name, `?"`) {
			continue
		}
		file := filepath.Join(t.TempDir(), name)
		b, err := Open(testContext(t), "sqlite:"+strings.NewReplacer("%", "%25", "?", "%3F").Replace(file), broker.Config{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		mustEnqueue(t, b, newMessage("q"))
		if err := b.Close(); err != nil {
			t.Errorf("%s: close: %v", name, err)
		}
		if _, err := os.Stat(file); err != nil {
			t.Errorf("the database is not where the URL says: %v", err)
		}
	}
}
