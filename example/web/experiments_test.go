package web

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// startExample runs the example as a user does, page and worker, and returns the
// address of the page.
func startExample(t *testing.T, data string) string {
	t.Helper()
	limited := command(t, nil, "-data", data, "-addr", "127.0.0.1:0")
	cmd := exec.Command(limited.Path, limited.Args[1:]...) // which outlives the context of t
	cmd.Env = limited.Env
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if runtime.GOOS == "windows" { // which has no signals to send
			cmd.Process.Kill()
			cmd.Wait()
			return
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the example was told to stop: %v", err)
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if address, ok := strings.CutPrefix(lines.Text(), "page    "); ok {
			return address
		}
	}
	t.Fatal("the example names no page")
	return ""
}

// Two tasks fail twice, two kill their workers, and pictures are in between: in the
// end all of them are done. An attempt that was about to fail may die with its
// worker.
func TestNothingIsLost(t *testing.T) {
	page := startExample(t, t.TempDir())
	for _, click := range []string{"/stumble", "/samples", "/crash", "/stumble", "/crash"} {
		r, err := http.NewRequest("POST", page+click, nil)
		if err != nil {
			t.Fatal(err)
		}
		send(t, r, http.StatusOK)
	}
	state := settled(t, page)
	for expr, want := range map[string]int{
		`A task that fails twice: done, nothing lost`:           2,
		`A task that kills its worker: done, nothing lost`:      2,
		`attempt 2 failed: stumbled</li><li>attempt 3 was done`: 2, // a task that was done may be done again
		`request \d[\d.]*(µs|ms|s), work \d[\d.]*(µs|ms|s)</p>`: 4,
	} {
		if got := len(regexp.MustCompile(expr).FindAllString(state, -1)); got != want {
			t.Errorf("%d times %s, want %d, in\n%s", got, expr, want, state)
		}
	}
	// The second one may have been about to begin in the process that the first one killed.
	if got := len(regexp.MustCompile(`attempt \d killed its worker, process \d+`).FindAllString(state, -1)); got < 1 || got > 2 {
		t.Errorf("%d tasks have killed their worker, in\n%s", got, state)
	}
}

// The page links to the code of the tasks.
func TestCode(t *testing.T) {
	server, _ := servePage(t)
	for file, want := range map[string]string{
		"pictures/thumbnail.go": "func Thumbnail(",
		"report/report.go":      "func (w *Writer) Write(",
		"mail/mailer.go":        "func (m *Mailer) Send(",
		"lab/lab.go":            "func Stumble(",
	} {
		if got := get(t, server.URL+"/code/"+file, http.StatusOK); !strings.Contains(got, want) {
			t.Errorf("%s does not hold %s", file, want)
		}
	}
	get(t, server.URL+"/code/none.go", http.StatusNotFound)
}
