package main

import (
	"strings"
	"testing"
	"time"
)

func TestFollow(t *testing.T) {
	events := `{"Action":"build-output","ImportPath":"c","Output":"c.go:1: no\n"}
{"Action":"start","Package":"a"}
{"Action":"run","Package":"a","Test":"TestGood"}
{"Action":"output","Package":"a","Test":"TestGood","Output":"said by TestGood\n"}
{"Action":"pass","Package":"a","Test":"TestGood"}
{"Action":"output","Package":"a","Output":"PASS\n"}
{"Action":"output","Package":"a","Output":"ok  \ta\t0.1s\n"}
{"Action":"pass","Package":"a"}
{"Action":"start","Package":"b"}
{"Action":"run","Package":"b","Test":"TestBad"}
{"Action":"output","Package":"b","Test":"TestBad","Output":"said by TestBad\n"}
{"Action":"fail","Package":"b","Test":"TestBad"}
{"Action":"run","Package":"b","Test":"TestDied"}
{"Action":"output","Package":"b","Test":"TestDied","Output":"panic: ouch\n"}
{"Action":"output","Package":"b","Output":"FAIL\tb\t0.1s\n"}
{"Action":"fail","Package":"b"}
no JSON
`
	var out strings.Builder
	follow(strings.NewReader(events), &out)
	want := "c.go:1: no\nok  \ta\t0.1s\nsaid by TestBad\npanic: ouch\nFAIL\tb\t0.1s\nno JSON\n"
	if out.String() != want {
		t.Errorf("printed\n%s, want\n%s", out.String(), want)
	}
}

func TestReport(t *testing.T) {
	var out strings.Builder
	p := &progress{out: &out, running: make(map[string]map[string]time.Time), output: make(map[[2]string]*strings.Builder)}
	p.take(event{Action: "start", Package: "a"})
	p.take(event{Action: "run", Package: "a", Test: "TestSlow"})
	p.report()
	if got := out.String(); !strings.Contains(got, "running: a (TestSlow for 0s)\n") {
		t.Errorf("printed %q", got)
	}
	out.Reset()
	p.report()
	if out.Len() > 0 {
		t.Errorf("printed %q at once again", out.String())
	}
}

func TestWithEvents(t *testing.T) {
	for command, want := range map[string]string{
		"go test -race ./...": "go test -json -race ./...",
		"go test -v ./...":    "go test -v ./...",
		"go run .":            "go run .",
		"sh":                  "sh",
	} {
		if got, _ := withEvents(strings.Fields(command)); strings.Join(got, " ") != want {
			t.Errorf("%s becomes %v, want %s", command, got, want)
		}
	}
}
