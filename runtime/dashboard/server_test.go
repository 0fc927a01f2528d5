package dashboard_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/dashboard"
	_ "github.com/dtaskhq/dtask/runtime/dashboard/auto"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// A worker serves the dashboard with -dashboard: to this machine alone and for reading, or
// to whoever knows the token; also as the supervisor of others.
func TestWorkerServes(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{"alone": nil, "supervisor": {"-processes", "2"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := onSQLite(t)
			w.send("ana@exmaple.com")
			open := serveBoard(t, w.url, append(args, "-dashboard", ":0")...)
			if !strings.HasPrefix(open, "127.0.0.1:") {
				t.Errorf("without a token it listens on %s", open)
			}
			w.page = "http://" + open + "/"
			w.want("", "1 dead letter in the last hour")
			w.want("messages", "1 message.", "to=ana@exmaple.com") // it knows its types
			w.post(403, "queues/pause", "queue", "mail")
			w.want("dead", "This page is read-only: the dashboard was started without a token.")
			r, _ := http.NewRequest("GET", w.page, nil)
			r.Host = "rebound.example:8081"
			a, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			w.read(a, 421, "")

			guarded := serveBoard(t, w.url, append(args, "-dashboard", ":0", "-dashboard-token", "0123456789abcdef")...)
			if !strings.HasPrefix(guarded, "[::]:") && !strings.HasPrefix(guarded, "0.0.0.0:") {
				t.Errorf("with a token it listens on %s", guarded)
			}
			w.page = "http://localhost" + guarded[strings.LastIndexByte(guarded, ':'):] + "/"
			w.says(w.get(401, ""), "asks for its token")
		})
	}
	c := exec.Command(os.Args[0], "-url", "sqlite:unused.db", "-dashboard", ":0", "-dashboard-token", "short")
	c.Env = append(os.Environ(), serviceEnv+"="+shop)
	if out, err := c.CombinedOutput(); err == nil || !strings.Contains(string(out), "the token is short enough to be guessed") {
		t.Errorf("a short token: %s, %v", out, err)
	}
}

// serveBoard starts a worker of the shop, and returns the address of its dashboard when it
// has pages.
func serveBoard(t *testing.T, url string, args ...string) string {
	t.Helper()
	c := exec.Command(os.Args[0], append([]string{"-url", url, "-grace", "1s"}, args...)...)
	c.Env = append(os.Environ(), serviceEnv+"="+shop)
	log, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	addr := make(chan string, 1)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if m := regexp.MustCompile(`msg="serving the dashboard" addr=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
				addr <- strings.Trim(m[1], `"`)
			}
		}
	}()
	t.Cleanup(func() {
		c.Process.Signal(os.Interrupt)
		<-read
		if err := c.Wait(); err != nil {
			t.Errorf("the worker ended with %v", err)
		}
	})
	select {
	case a := <-addr:
		brokertest.Eventually(t, func() string {
			r, err := http.Get("http://localhost" + a[strings.LastIndexByte(a, ':'):])
			if err != nil {
				return err.Error()
			}
			defer r.Body.Close()
			if r.StatusCode == http.StatusServiceUnavailable {
				return r.Status
			}
			return ""
		})
		return a
	case <-read:
		t.Fatal("the worker has ended")
	}
	panic("unreachable")
}

// A server says why there are no pages yet, and has them when the broker is there.
func TestServerWaits(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(brokertest.Context(t))
	s, err := dashboard.Listen("127.0.0.1:0", dashboard.Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	there := make(chan struct{})
	served := make(chan error, 1)
	url := brokers["SQLite"](t)
	go func() {
		served <- s.Serve(ctx, func(ctx context.Context) (*dtask.Client, error) {
			select {
			case <-there:
				return dtask.Open(ctx, url)
			default:
				return nil, errors.New("dial tcp 10.0.0.7:5672: connect: connection refused")
			}
		})
	}()
	read := func() string {
		r, err := http.Get("http://" + s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	brokertest.Eventually(t, func() string {
		if text := read(); !strings.Contains(text, "no dashboard yet: dial tcp 10.0.0.7:5672") {
			return text
		}
		return ""
	})
	close(there)
	brokertest.Eventually(t, func() string {
		if text := read(); !strings.Contains(text, "Nothing here yet") {
			return text
		}
		return ""
	})
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	for _, addr := range []string{"nonsense:x", "a:b:c"} {
		if _, err := dashboard.Listen(addr, dashboard.Config{}, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("no error of address %s", addr)
		}
	}
}
