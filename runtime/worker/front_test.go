//go:build unix

package worker

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A systemd receives notifications as systemd does.
type systemd struct {
	path     string
	messages chan string
}

func newSystemd(t *testing.T) *systemd {
	dir, err := os.MkdirTemp("", "dtask")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &systemd{path: filepath.Join(dir, "notify"), messages: make(chan string, 10000)}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: s.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			for line := range strings.SplitSeq(string(buf[:n]), "\n") {
				s.messages <- line
			}
		}
	}()
	return s
}

// await waits for a message that begins with text.
func (s *systemd) await(t *testing.T, text string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case m := <-s.messages:
			if strings.HasPrefix(m, text) {
				return m
			}
		case <-deadline:
			t.Fatalf("systemd was not told %s", text)
		}
	}
}

func TestNotify(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"-processes", "2"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			b := newBench(t, "sqlite:"+filepath.Join(t.TempDir(), "tasks.db"))
			s := newSystemd(t)
			p := b.start([]string{"NOTIFY_SOCKET=" + s.path, "WATCHDOG_USEC=300000"}, args...)
			s.await(t, "READY=1")
			for range 3 {
				s.await(t, "WATCHDOG=1")
			}
			b.delay(noteTask, "x")
			s.await(t, "STATUS=0 running, 1 done")
			if len(args) > 0 {
				p.signal(t, syscall.SIGHUP)
				s.await(t, "RELOADING=1")
				if m := s.await(t, "MONOTONIC_USEC="); m == "MONOTONIC_USEC=0" {
					t.Error(m)
				}
				s.await(t, "READY=1")
			}
			p.signal(t, syscall.SIGTERM)
			s.await(t, "STOPPING=1")
			if code := p.exit(t); code != exitOK {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// A task that keeps the process busy for long does not keep the watchdog
// waiting.
func TestWatchdogWhileBusy(t *testing.T) {
	t.Parallel()
	b := newBench(t, "sqlite:"+filepath.Join(t.TempDir(), "tasks.db"))
	s := newSystemd(t)
	b.delay(deafTask, "x")
	p := b.start([]string{"NOTIFY_SOCKET=" + s.path, "WATCHDOG_USEC=300000"}, "-grace", "500ms")
	b.ledger.await(t, 1, "start", deafTask)
	for range 5 {
		s.await(t, "WATCHDOG=1")
	}
	p.signal(t, syscall.SIGTERM)
	s.await(t, "STOPPING=1")
	s.await(t, "WATCHDOG=1")
	if code := p.abort(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}

func TestNotifySocketMissing(t *testing.T) {
	t.Parallel()
	b := newBench(t, "sqlite:"+filepath.Join(t.TempDir(), "tasks.db"))
	p := b.start([]string{"NOTIFY_SOCKET=/nowhere/notify"})
	if code := p.exit(t); code != exitFailed || !strings.Contains(p.stderr.String(), "NOTIFY_SOCKET") {
		t.Errorf("exit code %d, log %s", code, p.stderr)
	}
}

// probe asks a worker for its health.
func probe(t *testing.T, addr, path string) (code int, body string) {
	t.Helper()
	r, err := http.Get("http://" + addr + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

var addrPattern = regexp.MustCompile(`addr=(\S+)`)

func TestHealth(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"-processes", "2"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			b := newBench(t, "sqlite:"+filepath.Join(t.TempDir(), "tasks.db"))
			s := newSystemd(t)
			p := b.start([]string{"NOTIFY_SOCKET=" + s.path}, append(args, "-health", "127.0.0.1:0", "-grace", "1h")...)
			p.logged(t, 1, "answering health probes")
			addr := addrPattern.FindStringSubmatch(p.stderr.String())[1]
			if code, body := probe(t, addr, "/livez"); code != http.StatusOK || body != "ok\n" {
				t.Errorf("/livez: %d %q", code, body)
			}
			s.await(t, "READY=1") // the same report says so to the probe
			if code, body := probe(t, addr, "/readyz"); code != http.StatusOK {
				t.Errorf("/readyz: %d %q", code, body)
			}
			b.delay(noteTask, "a", "b", "c")
			b.delay(failTask, "x")
			s.await(t, "STATUS=0 running, 3 done, 1 retried, 1 dead")
			code, body := probe(t, addr, "/debug/vars")
			var vars struct {
				Uptime float64 `json:"uptime_seconds"`
				report
			}
			if err := json.Unmarshal([]byte(body), &vars); err != nil || code != http.StatusOK {
				t.Fatalf("/debug/vars: %d, %v:\n%s", code, err, body)
			}
			if vars.Uptime <= 0 || vars.Memory < 1<<20 || vars.Stats.Done != 3 || vars.Tasks["test.Note"].Done != 3 || vars.Tasks["test.Fail"].Dead != 1 {
				t.Errorf("/debug/vars: %s", body)
			}

			b.delay(holdTask, "x")
			b.ledger.await(t, 1, "start", holdTask)
			p.signal(t, syscall.SIGTERM)
			s.await(t, "STATUS=stopping")
			if code, body := probe(t, addr, "/readyz"); code != http.StatusServiceUnavailable || body != "stopping\n" {
				t.Errorf("/readyz while stopping: %d %q", code, body)
			}
			if code, body := probe(t, addr, "/livez"); code != http.StatusOK {
				t.Errorf("/livez while stopping: %d %q", code, body)
			}
			if code := p.abort(t); code != exitOK {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

func TestHealthAddressInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b := newBench(t, "sqlite:"+filepath.Join(t.TempDir(), "tasks.db"))
	p := b.start(nil, "-health", l.Addr().String())
	if code := p.exit(t); code != exitFailed || !strings.Contains(p.stderr.String(), "address already in use") {
		t.Errorf("exit code %d, log %s", code, p.stderr)
	}
}

func TestPidfile(t *testing.T) {
	t.Parallel()
	b := newBench(t, "sqlite:"+filepath.Join(t.TempDir(), "tasks.db"))
	file := filepath.Join(t.TempDir(), "worker.pid")
	if err := os.WriteFile(file, []byte("999999999\n"), 0o644); err != nil { // of a process that died
		t.Fatal(err)
	}
	p := b.start(nil, "-pidfile", file)
	p.logged(t, 1, "consuming")
	if text, err := os.ReadFile(file); err != nil || strings.TrimSpace(string(text)) != strconv.Itoa(p.cmd.Process.Pid) {
		t.Errorf("pid file holds %q, error %v", text, err)
	}
	second := b.start(nil, "-pidfile", file)
	if code := second.exit(t); code != exitFailed || !strings.Contains(second.stderr.String(), "is running") {
		t.Errorf("second worker: exit code %d, log %s", code, second.stderr)
	}
	p.signal(t, syscall.SIGTERM)
	p.exit(t)
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("after the stop: %v, want no pid file", err)
	}
}
