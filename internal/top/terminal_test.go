//go:build unix

package top

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/internal/testenv/skip"
	"github.com/dtaskhq/dtask/internal/testenv/terminal"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/operate"
	_ "github.com/dtaskhq/dtask/runtime/postgres"
	_ "github.com/dtaskhq/dtask/runtime/rabbitmq"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
	"github.com/dtaskhq/dtask/runtime/worker"
)

// The tests start this binary again: as a worker, and in a terminal as the page.
const (
	workerEnv = "DTASK_TOPTEST_WORKER"
	topEnv    = "DTASK_TOPTEST_URL"
	awayEnv   = "DTASK_TOPTEST_AWAY" // file: while it exists, the broker does not answer
)

type textArgs struct {
	Text string `json:"text"`
}

func define(name, queue string) dtask.Task[textArgs, dtask.None] {
	return dtask.Define[textArgs, dtask.None](name, dtask.Spec{Queue: queue, Timeout: time.Hour, Schema: "5ca1ab1e"})
}

func periodic(name, queue, cron string) dtask.Task[struct{}, dtask.None] {
	return dtask.Define[struct{}, dtask.None](name, dtask.Spec{Queue: queue, Timeout: time.Hour, Cron: cron})
}

var (
	sendTask   = define("acme.org/shop/mail.Send", "mail")
	scaleTask  = define("acme.org/shop/images.Scale", "images")
	orphanTask = define("acme.org/shop/old.Report", "old") // no worker has it
	purgeTask  = periodic("acme.org/shop/mail.Purge", "mail", "0 3 1 1 *")
	digestTask = periodic("acme.org/shop/mail.Digest", "mail", "30 4 1 1 *")
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(workerEnv) != "":
		os.Exit(worker.Run(os.Args[1:], dtask.Table{
			sendTask.Bind(func(_ context.Context, a textArgs) (dtask.None, error) { return dtask.None{}, errors.New(a.Text) }),
			scaleTask.Bind(func(ctx context.Context, a textArgs) (dtask.None, error) {
				if a.Text == "hold" {
					<-ctx.Done()
				}
				return dtask.None{}, ctx.Err()
			}),
			purgeTask.Bind(func(context.Context, struct{}) (dtask.None, error) { return dtask.None{}, nil }),
			digestTask.Bind(func(context.Context, struct{}) (dtask.None, error) { return dtask.None{}, nil }),
		}))
	case os.Getenv(topEnv) != "":
		b, err := broker.Open(context.Background(), os.Getenv(topEnv), broker.Config{})
		if err == nil {
			err = Run(context.Background(), operate.New(away(b)), os.Stdin, os.Stdout, os.Environ())
		}
		if err != nil {
			fmt.Println(err)
			time.Sleep(time.Minute) // to be read
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A capable broker has all that the page asks for.
type capable interface {
	broker.Broker
	broker.Admin
	broker.Pauser
	broker.Lister
	broker.Editor
	broker.Registry
	broker.Commander
	broker.Journal
}

// flaky is a broker that does not answer while a file exists.
type flaky struct{ capable }

func away(b broker.Broker) broker.Broker { return flaky{b.(capable)} }

func (f flaky) Queues(ctx context.Context) ([]broker.QueueState, error) {
	if _, err := os.Stat(os.Getenv(awayEnv)); err == nil {
		return nil, errors.New("no connection to amqp://guest:guest@rabbit.example.org")
	}
	return f.capable.Queues(ctx)
}

// A page is the page in a terminal.
type page struct {
	*terminal.Terminal
	t *testing.T
}

func show(t *testing.T, url string, env ...string) *page {
	t.Helper()
	if _, err := terminal.Path(); err != nil {
		skip.Test(t, err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	term, err := terminal.Start(80, 24, append(env, topEnv+"="+url), self)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(term.Close)
	return &page{term, t}
}

// shows waits until the screen matches all patterns.
func (p *page) shows(patterns ...string) string {
	p.t.Helper()
	screen, ok := p.Await(time.Minute, func(screen string) bool {
		for _, pattern := range patterns {
			if !regexp.MustCompile("(?m)" + pattern).MatchString(screen) {
				return false
			}
		}
		return true
	})
	if !ok {
		p.t.Fatalf("the screen is\n%s\nwant %q", screen, patterns)
	}
	return screen
}

func (p *page) press(keys ...string) {
	p.t.Helper()
	if err := p.Type(keys...); err != nil {
		p.t.Fatal(err)
	}
}

// begin starts a worker with tasks that fail, run and wait, and waits for them.
func begin(t *testing.T, url string) broker.Broker {
	t.Helper()
	client, err := dtask.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	ctx := dtask.NewContext(t.Context(), client)
	delay := func(task dtask.Task[textArgs, dtask.None], text string, options ...dtask.Option) {
		t.Helper()
		if _, err := task.Delay(ctx, textArgs{text}, options...); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		delay(sendTask, fmt.Sprintf("no user %d \x1b[2J\u202e", i))
	}
	delay(scaleTask, "hold")
	for range 5 {
		delay(scaleTask, "ok")
	}
	delay(scaleTask, "later", dtask.In(time.Hour))
	delay(orphanTask, "x")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	w := exec.Command(self, "-url", url, "-grace", "1s")
	w.Env = append(os.Environ(), workerEnv+"=1")
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Process.Signal(os.Interrupt)
		w.Wait()
	})
	return client.Broker()
}

// onSQL runs a test with an empty store of every broker that can tell all.
func onSQL(t *testing.T, test func(t *testing.T, url string)) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, "sqlite:"+filepath.Join(t.TempDir(), "tasks.db"))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, postgrestest.URL(t))
	})
}

// The page shows what a worker does, changes what it is told to once that is
// confirmed, and outlasts the broker.
func TestTerminal(t *testing.T) { onSQL(t, testTerminal) }

func testTerminal(t *testing.T, url string) {
	begin(t, url)
	lost := filepath.Join(t.TempDir(), "away")
	p := show(t, url, awayEnv+"="+lost)

	p.shows(`dtask  1 Overview  2 Queues`, `^1 ready, 1 running, 1 delayed, 3 dead, 1 workers`, `^a minute +\d.* done`, `^oldest waits +\d+s`, `^no consumer +old`, `^3 +\d+s +mail.Send +error: no user \d`)
	p.press("2")
	p.shows(`^images +0 +1 +1 +0 +- +\S+ +1$`, `^mail +0 +0 +0 +3 `, `^old +1 +0 +0 +0 +\d+s +0 +0 +no consumer`)
	p.press("j", "P") // mail
	p.shows(`pause queue mail\? type yes:`)
	p.press("yes", "Enter")
	p.shows(`queue mail is paused`, `^mail .* paused`)
	p.press("U")
	p.shows(`resume queue mail\? type yes:`)
	p.press("no", "Enter")
	p.shows(`not confirmed, nothing was changed`)
	p.press("U")
	p.shows(`resume queue mail\? type yes:`)
	p.press("yes", "Enter")
	p.shows(`queue mail is resumed`)

	p.press("3")
	p.shows(`^old.Report +old +ready`, `^images.Scale +images +delayed +in \d+m`, `^images.Scale +images +running`)
	p.press("/", "state:delayed", "Enter")
	p.shows(`^selected: state:delayed`, `\A(?:.*\n){3}TASK.*\nimages.Scale`)
	p.press("/", "BSpace", "BSpace", "x", "Enter")
	p.shows(`unknown state "delayx"`)
	p.press("Escape") // what follows at once would be one key with it
	p.shows(`^old.Report`)

	p.press("4")
	p.shows(`^mail.Send +mail +dead +\w+ +1/1 +error: no user \d \\x1b\[2J`, `X delete all`) // the screen before has them, too
	p.press("Enter")
	p.shows(`^task +acme.org/shop/mail.Send`, `^attempt 1, \w+ ago: error`)
	p.press("Escape")
	p.shows(`^TASK +QUEUE +STATE`)
	p.press("D")
	p.shows(`delete: 1 messages\? type 1:`)
	p.press("1", "Enter")
	p.shows(`1 deleted`, `, 2 dead,`)
	p.press("A")
	p.shows(`retry: 2 messages\? type 2:`)
	p.press("Escape")
	p.shows(`nothing was changed`)
	p.press("X")
	p.shows(`delete: 2 messages\? type 2:`)
	p.press("2", "Enter")
	p.shows(`2 deleted`, `, 0 dead,`, `^none`)

	p.press("5")
	p.shows(`^HOST +PID +UP`, `images=10,mail=10`)
	p.press("Enter")
	p.shows(`^runs 1$`, `images.Scale, attempt 1`, `5ca1ab1e  acme.org/shop/mail.Send`)
	p.press("7")
	p.shows(`^images.Scale +images +5 `, `^mail.Send +mail +0 +0 +3 `)
	p.press("o")
	p.shows(`deleted +2 +state:dead`, `paused +0 +queue:mail`)
	p.press("?")
	p.shows(`Upper-case keys change something`)
	p.press("x", "1")

	if err := os.WriteFile(lost, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if screen := p.shows(`the broker does not answer for \d+s: no connection`, `^no consumer +old`); strings.Contains(screen, "guest") {
		t.Errorf("a password is shown:\n%s", screen)
	}
	os.Remove(lost)
	p.shows(`^1 ready, 1 running`)

	p.press("q")
}

// Workers and schedules are steered with upper-case keys, which ask first.
func TestSteer(t *testing.T) { onSQL(t, testSteer) }

func testSteer(t *testing.T, url string) {
	begin(t, url)
	p := show(t, url)
	confirmed := func(key, asks, says string) {
		t.Helper()
		p.press(key)
		p.shows(asks + `\? type yes:`)
		p.press("yes", "Enter")
		p.shows(says)
	}
	p.press("5")
	p.shows(`^HOST +PID .* STATE`, ` working +1 `)
	confirmed("Q", `have worker \S+ fetch no more, which runs 1`, `is quiet`)
	p.shows(` quiet +1 `)
	p.press("T")
	p.shows(`stop worker \S+, which runs 1\? type yes:`)
	p.press("Escape")
	p.shows(`nothing was changed`, ` quiet `)
	confirmed("U", `have worker \S+ fetch again, which runs 1`, `fetches again`)
	p.shows(` working +1 `)

	p.press("6")
	p.shows(`^mail.Digest +30 4 1 1 \* +mail +\S+ +in \d+d +1`, `^mail.Purge +0 3 1 1 \* `)
	p.press("j")
	confirmed("P", `pause schedule mail.Purge`, `schedule mail.Purge is paused`)
	p.shows(`^mail.Purge .* paused`)
	p.press("Enter")
	p.shows(`^task +acme.org/shop/mail.Purge`, `^next`, `^  \d{4}-01-01 03:00:00  in \d+d`)
	p.press("Escape")
	p.shows(`^TASK +CRON`)
	confirmed("U", `resume schedule mail.Purge`, `schedule mail.Purge is resumed`)
	confirmed("R", `enqueue schedule mail.Purge once now`, `enqueued \S+`)
	confirmed("X", `leave out what schedule mail.Purge has missed`, `schedule mail.Purge is reset`)
	p.press("7")
	p.shows(`^mail.Purge +mail +1 `)

	p.press("5")
	p.shows(`^HOST +PID .* STATE`, ` working +1 `)
	confirmed("T", `stop worker \S+, which runs 1`, `is stopping|none is known`)
	p.shows(`^there are no workers`)
}

// Every screen fits the terminal when that changes its size.
func TestResize(t *testing.T) {
	t.Parallel()
	url := "sqlite:" + filepath.Join(t.TempDir(), "tasks.db")
	begin(t, url)
	p := show(t, url)
	p.shows(`^no consumer +old`)
	for _, size := range [][2]int{{40, 10}, {120, 40}, {20, 4}, {80, 24}} {
		if err := p.Resize(size[0], size[1]); err != nil {
			t.Fatal(err)
		}
		for screen := range screenCount {
			p.press(fmt.Sprint(screen + 1))
			last := regexp.QuoteMeta(screens[screen].keys)
			if size[0] < 80 {
				last = regexp.QuoteMeta(screens[screen].keys[:8])
			}
			lines := strings.Split(strings.TrimRight(p.shows(`\Adtask`, `^`+last), "\n"), "\n")
			if len(lines) > size[1] {
				t.Errorf("screen %d at %v has %d lines:\n%s", screen+1, size, len(lines), strings.Join(lines, "\n"))
			}
		}
	}
}

// With NO_COLOR there are no colours, and each screen fits 80 columns and 24 lines.
func TestNoColor(t *testing.T) {
	t.Parallel()
	url := "sqlite:" + filepath.Join(t.TempDir(), "tasks.db")
	begin(t, url)
	p := show(t, url, "NO_COLOR=1")
	for i, want := range []string{`^no consumer +old`, `^old +1`, `^old.Report`, `^mail.Send`, `^HOST`, `^mail.Digest`, `^mail.Send`} {
		p.press(fmt.Sprint(i + 1))
		p.shows(want)
		colored, err := p.Screen(true)
		if err != nil {
			t.Fatal(err)
		}
		if m := regexp.MustCompile(`\x1b\[[0-9;]*(3[0-7]|38;[0-9;]*|9[0-7])m`).FindString(colored); m != "" {
			t.Errorf("screen %d has a colour, %q", i+1, m)
		}
		lines := strings.Split(strings.TrimSuffix(ansi.Strip(colored), "\n"), "\n")
		if len(lines) > 24 || !strings.Contains(lines[len(lines)-1], "q quit") {
			t.Errorf("screen %d has %d lines, or its last line is not the last:\n%s", i+1, len(lines), strings.Join(lines, "\n"))
		}
	}
}

// On RabbitMQ it shows what that can tell.
func TestTerminalRabbitMQ(t *testing.T) {
	t.Parallel()
	url := rabbittest.URL(t)
	begin(t, url)
	p := show(t, url)
	p.shows(`^1 ready, 3 dead, 1 workers`, `^no consumer +old`, `^3 +\d+s +mail.Send`)
	p.press("3")
	p.shows(`not supported`)
	p.press("4")
	p.shows(`^mail.Send +mail +dead`)
	p.press("A")
	p.shows(`retry: 3 messages\? type 3:`)
	p.press("3", "Enter")
	p.shows(`3 retried`)
}
