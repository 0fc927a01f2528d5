package web

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/crc32"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
)

// runVariable makes the test binary behave as the example.
const runVariable = "DTASK_TEST_RUN_EXAMPLE"

func TestMain(m *testing.M) {
	if os.Getenv(runVariable) != "" {
		Main()
		return
	}
	goleak.VerifyTestMain(m)
}

// command returns the example as a process of its own, with nothing in its
// environment that would change what it does.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(kv string) bool {
		return strings.HasPrefix(kv, "DTASK_URL=") || strings.HasPrefix(kv, "SMTP_") || strings.HasPrefix(kv, "MAIL_FROM=")
	})
	cmd.Env = append(append(cmd.Env, runVariable+"=1"), env...)
	return cmd
}

// execute runs the example to its end.
func execute(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := command(t, env, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestOnce(t *testing.T) {
	data := t.TempDir()
	stdout, stderr, code := execute(t, nil, append([]string{"once", "-data", data}, testPictures(t)...)...)
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	checkOnce(t, stdout)
}

// The worker is another process: first on the same SQLite file, then on
// RabbitMQ.
func TestOnceWithWorkerElsewhere(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		testWorkerElsewhere(t, func(data string) string { return "sqlite:" + filepath.Join(data, "elsewhere.db") })
	})
	t.Run("rabbitmq", func(t *testing.T) {
		url := rabbittest.URL(t)
		testWorkerElsewhere(t, func(string) string { return url })
	})
}

// A password never shows up in what is printed.
func TestWrongPassword(t *testing.T) {
	u, err := url.Parse(rabbittest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("guest", "secret")
	stdout, stderr, code := execute(t, []string{"DTASK_URL=" + u.String()}, "once", "-data", t.TempDir(), "testdata/waves.gif")
	if code != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, `refuses user "guest"`) || strings.Contains(stdout+stderr, "secret") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

func testWorkerElsewhere(t *testing.T, broker func(data string) string) {
	data := t.TempDir()
	env := []string{"DTASK_URL=" + broker(data)}

	worker := command(t, env, "worker", "-data", data)
	var log bytes.Buffer
	worker.Stderr = &log
	worker.WaitDelay = 10 * time.Second
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := execute(t, env, append([]string{"once", "-no-worker", "-data", data}, testPictures(t)...)...)

	if runtime.GOOS == "windows" { // which has no signals to send
		worker.Process.Kill()
		worker.Wait()
	} else if err := worker.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	} else if err := worker.Wait(); err != nil {
		t.Errorf("the worker was told to stop: %v", err)
	}
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d\n%s%s\nthe worker:\n%s", code, stdout, stderr, log.String())
	}
	checkOnce(t, stdout)
}

// What cannot be done is said in one line, and by the exit code.
func TestMistakes(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Close() })
	dir := t.TempDir()
	write := func(name, content string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	text := write("text.jpg", "this is no picture\n")
	cut := write("cut.jpg", string(read(t, "testdata/mountains.jpg")[:20_000]))
	bomb := write("bomb.png", hugePNG())
	good := "testdata/waves.gif"

	for _, test := range []struct {
		name string
		env  string
		args []string
		want string
	}{
		{"no command", "", []string{"serve"}, `no command "serve"; there are page, worker and once`},
		{"unknown flag", "", []string{"worker", "-addr", ":1"}, "flag provided but not defined: -addr"},
		{"argument", "", []string{"page", good}, `unexpected argument "testdata/waves.gif"`},
		{"no picture", "", []string{"once"}, "no picture given: go run ./example once PICTURE"},
		{"missing file", "", []string{"once", good, "missing.jpg"}, "open missing.jpg: "},
		{"folder", "", []string{"once", dir}, dir + " is not a file"},
		{"text", "", []string{"once", text}, "thumbnail text.jpg: not a JPEG, PNG or GIF picture"},
		{"cut off", "", []string{"once", good, cut}, "thumbnail cut.jpg: damaged picture: "},
		{"bomb", "", []string{"once", bomb}, "thumbnail bomb.png: 60000×60000 are too many pixels; the limit is 40 million"},
		{"several", "", []string{"once", text, good, cut}, "thumbnail text.jpg: not a JPEG, PNG or GIF picture (and 1 more failed)"},
		{"no worker", "", []string{"once", "-no-worker", "-timeout", "10ms", good}, "thumbnail waves.gif: not done after 10ms; is a worker running?"},
		{"address", "", []string{"once", "-to", "nobody", good}, `-to "nobody" is no mail address`},
		{"port in use", "", []string{"-addr", busy.Addr().String()}, "cannot serve on " + busy.Addr().String() + ": "},
		{"URL", "DTASK_URL=nonsense", []string{"once", good}, "broker URL has no scheme; "},
		{"scheme", "DTASK_URL=http://user:secret@host", []string{"once", good}, `no broker for URL scheme "http"; `},
		{"SQLite file", "DTASK_URL=sqlite:" + text + "/x.db", []string{"once", good}, "sqlite "},
		{"mail server", "SMTP_ADDR=nonsense", []string{"worker"}, "SMTP_ADDR=nonsense is not host:port"},
		{"sender", "MAIL_FROM=nobody", []string{"worker"}, "MAIL_FROM=nobody is no mail address"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			place := 1
			if strings.HasPrefix(test.args[0], "-") {
				place = 0
			}
			args := slices.Insert(slices.Clone(test.args), place, "-data", t.TempDir())
			_, stderr, code := execute(t, []string{test.env}, args...)
			if code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			if !strings.HasPrefix(stderr, "example: "+test.want) || strings.Count(stderr, "\n") != 1 || strings.Contains(stderr, "secret") {
				t.Errorf("standard error:\n%swant one line:\nexample: %s", stderr, test.want)
			}
		})
	}
}

// hugePNG returns the beginning of a PNG file that claims to be very large.
func hugePNG() string {
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), 60_000)
	header = binary.BigEndian.AppendUint32(header, 60_000)
	header = append(header, 8, 6, 0, 0, 0)
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d")
	return string(binary.BigEndian.AppendUint32(append(b, header...), crc32.ChecksumIEEE(header)))
}

// With SMTP_ADDR, the mail goes through a mail server, which may refuse it.
func TestOnceThroughMailServer(t *testing.T) {
	server := startMailServer(t)
	env := []string{"SMTP_ADDR=" + server.addr, "MAIL_FROM=Gallery <gallery@example.com>"}
	stdout, stderr, code := execute(t, env, "once", "-data", t.TempDir(), "testdata/waves.gif")
	if code != 0 || stderr != "" || !strings.Contains(stdout, "by mail server") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	got := <-server.received
	if got.from != "gallery@example.com" || got.to != "you@example.com" {
		t.Errorf("envelope from %s to %s", got.from, got.to)
	}
	pdf := output(t, stdout, "report", "")
	checkMail(t, got.message, pdf, strings.TrimSuffix(pdf, ".pdf")+".csv")

	_, stderr, code = execute(t, env, "once", "-data", t.TempDir(), "-to", "nobody@example.com", "testdata/waves.gif")
	want := "example: mail to nobody@example.com: the mail server refuses: 550 \"no such user\"\n"
	if code != 1 || stderr != want {
		t.Errorf("exit code %d, standard error:\n%swant at the first attempt\n%s", code, stderr, want)
	}
}
