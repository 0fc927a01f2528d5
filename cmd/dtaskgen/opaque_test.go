package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// The lock notes the versions of the modules whose types say themselves what they are
// in JSON, of these alone, and -check warns if one is another.
func TestOpaqueVersions(t *testing.T) {
	dep := func(name string) string {
		return "package " + name + "\n\ntype Plain struct{ N int }\n\ntype Opt[T any] struct{ v T }\n\n" +
			"func (o Opt[T]) MarshalJSON() ([]byte, error) { return nil, nil }\n\nfunc (o *Opt[T]) UnmarshalJSON([]byte) error { return nil }\n\n" +
			"type Text struct{ s string }\n\nfunc (t Text) MarshalText() ([]byte, error) { return nil, nil }\n\nfunc (t *Text) UnmarshalText([]byte) error { return nil }\n"
	}
	versions := func(a, b string) map[string]string {
		return map[string]string{
			"go.mod":             "module example.com/m\n\ngo 1.26\n\nrequire (\n\texample.com/a " + a + "\n\texample.com/b " + b + "\n)\n",
			"vendor/modules.txt": "# example.com/a " + a + "\n## explicit; go 1.26\nexample.com/a\n# example.com/b " + b + "\n## explicit; go 1.26\nexample.com/b\n",
		}
	}
	files := versions("v1.0.0", "v1.0.0")
	files["vendor/example.com/a/a.go"], files["vendor/example.com/b/b.go"] = dep("a"), dep("b")
	files["own/own.go"] = dep("own")
	files["m.go"] = "package m\n\nimport (\n\t\"net/netip\"\n\n\t\"example.com/a\"\n\t\"example.com/b\"\n\t\"example.com/m/own\"\n)\n\n" +
		"//dtask:task\nfunc One(o map[string]*a.Opt[b.Plain], p b.Plain, i netip.Addr, own own.Text) (a.Text, error) { return a.Text{}, nil }\n"
	dir := module(t, files)
	t.Setenv("GOFLAGS", "-mod=vendor")
	if code, stdout, stderr := dtaskgen(t, "./..."); code != 0 {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	const want = "module example.com/m\nopaque v1.0.0 example.com/a.Opt[example.com/b.Plain]\nopaque v1.0.0 example.com/a.Text\n\ntask"
	if text := readFile(t, "dtask.lock"); !strings.Contains(text, want) {
		t.Fatalf("the lock has no %q:\n%s", want, text)
	}
	old := readFile(t, "dtask.lock")
	for name, text := range versions("v1.1.0", "v1.0.0") {
		writeFile(t, filepath.Join(dir, name), text)
	}
	writeFile(t, filepath.Join(dir, "old.lock"), old)
	code, stdout, stderr := dtaskgen(t, "-check", "./...")
	if code != 1 || !strings.Contains(stderr, "warning: FIELD_OPAQUE example.com/a.Text is of v1.1.0, and was of v1.0.0") || strings.Count(stderr, "FIELD_OPAQUE") != 2 {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := dtaskgen(t, "./..."); code != 0 || strings.Count(stderr, "FIELD_OPAQUE") != 2 {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := dtaskgen(t, "-check", "-against", "old.lock", "./..."); code != 0 || strings.Count(stderr, "FIELD_OPAQUE") != 2 {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	writeFile(t, filepath.Join(dir, "m.go"), "package m\n\nimport \"example.com/b\"\n\n//dtask:task\nfunc One(p b.Plain) {}\n")
	if _, _, stderr := dtaskgen(t, "./..."); strings.Contains(readFile(t, "dtask.lock"), "\nopaque ") {
		t.Errorf("a type that is in no message is noted:\n%s\n%s", readFile(t, "dtask.lock"), stderr)
	}
}
