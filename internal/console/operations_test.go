package console

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestOperationsPage does what docs/operations.md does, in its order, on all brokers.
func TestOperationsPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	onBrokers(t, func(t *testing.T, url string, ids []string) {
		t.Setenv(editorEnv, `"id": 2=>"id": 7`)
		live(t, url)
		n := 0
		for line := range strings.Lines(string(page)) {
			command, isCommand := strings.CutPrefix(line, "dtask ")
			if !isCommand {
				continue
			}
			command, note, _ := strings.Cut(strings.TrimSpace(command), "  # ")
			want := exitOK
			if note == "problem" { // there is one: no worker
				want = exitSick
			}
			if note == "not on RabbitMQ" && strings.HasPrefix(url, "amqp") {
				want = exitUnsupported
			}
			command = strings.Replace(command, "0199c3a1-7f2e-7c11-9a55-3f0e5b7a9d21", ids[2], 1)
			words := shellWords(command)
			for _, changes := range []string{" retry", " delete", " move", " purge", " cancel", " workers quiet", " workers resume", " workers stop", " concurrency"} {
				if strings.Contains(" "+command, changes) {
					words = append(words, "--yes")
					if strings.Contains(command, "age>30d") {
						want = exitNothing // the test is not that old
					}
					break
				}
			}
			r := dtask(t, url, words...)
			r.want(t, want)
			if r.out+r.err == "" {
				t.Errorf("%s: prints nothing", command)
			}
			n++
		}
		if n < 15 {
			t.Errorf("the page has %d commands", n)
		}
	})
}

// shellWords splits a line at spaces that are not in single quotes.
func shellWords(line string) (words []any) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		for _, w := range strings.Fields(part) {
			words = append(words, fmt.Sprint(w))
		}
	}
	return words
}
