package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// -prune forgets what was left long ago, in dtask.lock and in the generated code, but
// for what preflight has found.
func TestPrune(t *testing.T) {
	dir := module(t, map[string]string{"m.go": "package m\n\n//dtask:task\nfunc Send(to string) {}\n"})
	at := func(epoch, source string, args ...string) (int, string) {
		t.Helper()
		t.Setenv("SOURCE_DATE_EPOCH", epoch)
		writeFile(t, filepath.Join(dir, "m.go"), "package m\n\n//dtask:task\nfunc Send("+source+") {}\n")
		code, stdout, stderr := dtaskgen(t, args...)
		return code, stdout + stderr
	}
	const may, june, july = "1714521600", "1717200000", "1719792000" // of 2024
	at(may, "to string")
	at(may, "to []byte")
	at(june, "to int")
	versions := func() string {
		t.Helper()
		found := regexp.MustCompile(`(?m)^\targs (v\d) `).FindAllStringSubmatch(readFile(t, "dtask.lock"), -1)
		var all []string
		for _, f := range found {
			all = append(all, f[1])
		}
		return strings.Join(all, " ")
	}
	if versions() != "v3 v2 v1" {
		t.Fatal(readFile(t, "dtask.lock"))
	}
	first := regexp.MustCompile(`args v1 (\w+)`).FindStringSubmatch(readFile(t, "dtask.lock"))[1]
	writeFile(t, "found.json", `{"task":"example.com/m.Send","schema":"`+first+`","fate":"handed back"}`+"\n")
	if code, out := at(july, "to int", "-prune", "2024-07-01", "-found", "found.json"); code != 0 || versions() != "v3 v2 v1" {
		t.Errorf("exit %d, versions %s\n%s", code, versions(), out)
	}
	if code, out := at(july, "to int", "-prune", "2024-05-31"); code != 0 || versions() != "v3 v2" || strings.Contains(readFile(t, "dtask_gen.go"), first) {
		t.Errorf("exit %d, versions %s\n%s", code, versions(), out)
	}
	for _, args := range [][]string{
		{"-prune", "yesterday"},
		{"-prune", "2024-07-01", "-check"},
		{"-prune", "2024-07-01", "-found", "m.go"},
		{"-prune", "2024-07-01", "-found", "nowhere"},
		{"-found", "found.json"},
	} {
		if code, out := at(july, "to int", args...); code != 2 || out == "" || versions() != "v3 v2" {
			t.Errorf("%v: exit %d\n%s", args, code, out)
		}
	}
}
