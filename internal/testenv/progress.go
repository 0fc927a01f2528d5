package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// quiet is how long a run of tests may print nothing.
const quiet = 30 * time.Second

// withEvents returns the command with -json, so that its progress can be
// followed, and whether it is one for which that can be done: go test that is to
// print no more than outcomes.
func withEvents(args []string) ([]string, bool) {
	if len(args) < 2 || args[0] != "go" || args[1] != "test" {
		return args, false
	}
	for _, a := range args[2:] {
		if a == "-v" || a == "-c" || strings.HasPrefix(a, "-json") || strings.HasPrefix(a, "-bench") {
			return args, false
		}
	}
	return slices.Insert(slices.Clone(args), 2, "-json"), true
}

// An event is a line of go test -json.
type event struct {
	Action     string
	Package    string
	ImportPath string // of what is built
	Test       string
	Output     string
}

// A progress prints what go test prints without -json: the outcome of each
// package, and the output of what failed. Because go test says nothing of a
// package before its end, it also prints which tests are running.
type progress struct {
	out   io.Writer
	begin time.Time

	mu      sync.Mutex
	last    time.Time                       // when something was printed
	running map[string]map[string]time.Time // package → test → since when
	output  map[[2]string]*strings.Builder  // package, test → what it printed
}

// follow prints the progress of go test -json until its output ends.
func follow(events io.Reader, out io.Writer) {
	p := &progress{
		out: out, begin: time.Now(), last: time.Now(),
		running: make(map[string]map[string]time.Time),
		output:  make(map[[2]string]*strings.Builder),
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-tick.C:
				p.report()
			case <-done:
				return
			}
		}
	}()
	for r := bufio.NewReader(events); ; {
		line, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		var e event
		if json.Unmarshal(line, &e) != nil {
			e = event{Action: "build-output", Output: string(line)} // what go test says itself
		}
		p.take(e)
	}
}

// take prints what is to be printed at an event.
func (p *progress) take(e event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := [2]string{e.Package, e.Test}
	if p.running[e.Package] == nil && e.Package != "" {
		p.running[e.Package] = make(map[string]time.Time)
	}
	switch e.Action {
	case "run", "cont":
		p.running[e.Package][e.Test] = time.Now()
	case "pause":
		delete(p.running[e.Package], e.Test)
	case "output":
		if p.output[key] == nil {
			p.output[key] = new(strings.Builder)
		}
		p.output[key].WriteString(e.Output)
	case "build-output":
		p.print(e.Output)
	case "pass", "skip", "fail":
		p.end(e, key)
	}
}

// end prints the outcome of a test that failed, or of a package.
func (p *progress) end(e event, key [2]string) {
	text := ""
	if b := p.output[key]; b != nil {
		text = b.String()
	}
	delete(p.output, key)
	if e.Test != "" {
		delete(p.running[e.Package], e.Test)
		if e.Action == "fail" {
			p.print(text)
		}
		return
	}
	delete(p.running, e.Package)
	if e.Action != "fail" {
		text = outcome(text)
	}
	for _, left := range slices.SortedFunc(maps.Keys(p.output), func(a, b [2]string) int { return strings.Compare(a[1], b[1]) }) {
		if left[0] == e.Package { // its process died in the middle of these
			p.print(p.output[left].String())
			delete(p.output, left)
		}
	}
	p.print(text)
}

// outcome returns the last line that a package printed.
func outcome(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.TrimSpace(lines[i]) != "" {
			return lines[i]
		}
	}
	return ""
}

func (p *progress) print(text string) {
	if text != "" {
		io.WriteString(p.out, text)
		p.last = time.Now()
	}
}

// report prints what is running if nothing was printed for long.
func (p *progress) report() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.last) < quiet {
		return
	}
	var packages []string
	for _, name := range slices.Sorted(maps.Keys(p.running)) {
		packages = append(packages, name+p.oldest(name))
	}
	p.print(fmt.Sprintf("testenv: after %v running: %s\n", time.Since(p.begin).Round(time.Second), strings.Join(packages, ", ")))
}

// oldest describes the test of a package that has run longest.
func (p *progress) oldest(name string) string {
	test, since := "", time.Now()
	for t, s := range p.running[name] {
		if s.Before(since) || s.Equal(since) && len(t) > len(test) {
			test, since = t, s
		}
	}
	if test == "" {
		return ""
	}
	return fmt.Sprintf(" (%s for %v)", test, time.Since(since).Round(time.Second))
}
