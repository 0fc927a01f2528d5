package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// The test that is printed has every version that is converted, and nothing is
// written.
func TestUpcastTest(t *testing.T) {
	dir := module(t, map[string]string{"m.go": "package m\n\n//dtask:task\nfunc Send(to string, n int) {}\n\n//dtask:task\nfunc Other() {}\n"})
	if code, stdout, stderr := dtaskgen(t); code != 0 {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := dtaskgen(t, "-emit", "upcasttest"); code != 2 || stdout != "" || !strings.Contains(stderr, "the packages have no upcasters") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	const upcaster = "\n//dtask:upcast\nfunc sendV1(old SendArgsV1) (SendArgs, error) { return SendArgs{}, nil }\n"
	writeFile(t, filepath.Join(dir, "m.go"), "package m\n\n//dtask:task\nfunc Send(to []byte) {}\n"+upcaster)
	before := readFile(t, "dtask.lock")
	code, stdout, stderr := dtaskgen(t, "-emit", "upcasttest")
	const want = "got := dtasktest.Upcast(t, SendTask, \"4ef7f380c2a4c11b\", `{\"to\":\"text\",\"n\":1}`)\n\twant := SendArgs{}\n"
	if code != 0 || !strings.Contains(stdout, "func TestUpcastSendV1(t *testing.T) {\n\t"+want) || readFile(t, "dtask.lock") != before {
		t.Errorf("exit %d, want %s in\n%s%s", code, want, stdout, stderr)
	}
}
