package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/skip"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

type greetArgs struct {
	Name string `json:"name"`
}

var (
	greetTask = dtask.Define[greetArgs, dtask.None]("mail.Greet", dtask.Spec{
		Queue: "mail", Retries: 5, Timeout: 30 * time.Second, Backoff: time.Minute, Schema: "name string",
	})
	countTask = dtask.Define[greetArgs, int]("mail.Count", dtask.Spec{Queue: "mail", Schema: "name string"})
	purgeTask = dtask.Define[struct{}, dtask.None]("mail.Purge", dtask.Spec{
		Queue: "default", Retries: 3, Backoff: 90 * time.Second, Schema: "empty", Cron: "CRON_TZ=Europe/Berlin @daily",
	})
)

// runProgram runs the program in this process, on tables of two tasks.
func runProgram(env map[string]string, stdin string, args ...string) (code int, stdout, stderr string) {
	out, err := newOutput(), newOutput()
	table := dtask.Table{
		greetTask.Bind(func(ctx context.Context, a greetArgs) (dtask.None, error) {
			switch a.Name {
			case "nobody":
				return dtask.None{}, errors.New("nobody is there")
			case "panic":
				panic("ouch")
			case "purge":
				_, err := purgeTask.Delay(ctx, struct{}{})
				return dtask.None{}, err
			}
			fmt.Fprintf(out, "hello %s", a.Name)
			return dtask.None{}, nil
		}),
		purgeTask.Bind(func(context.Context, struct{}) (dtask.None, error) { return dtask.None{}, nil }),
		countTask.Bind(func(_ context.Context, a greetArgs) (int, error) { return len(a.Name), nil }),
	}
	p := &program{
		name: "mailworker", stdin: strings.NewReader(stdin), stdout: out, stderr: err,
		getenv: func(name string) string { return env[name] }, tables: []dtask.Table{table},
	}
	code = p.run(args)
	return code, out.String(), err.String()
}

func TestHelp(t *testing.T) {
	code, out, _ := runProgram(nil, "", "-h")
	if code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{
		"-queues LIST, DTASK_QUEUES", "-grace DURATION, DTASK_GRACE", "(default 30s)", "(default 10)", "(default on)", "(default text)", "(default info)",
		"-max-memory SIZE, DTASK_MAX_MEMORY", "run TASK [JSON]", "mail=20,images", "Exit codes",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			t.Errorf("the help lacks %q:\n%s", want, out)
		}
	}
	for line := range strings.Lines(out) { // with its newline
		if len([]rune(line)) > 85 {
			t.Errorf("line of %d characters: %s", len(line), line)
		}
	}
}

// An error and lines that others log through package slog do not mix: stderr, here
// a buffer, may be used by one goroutine at a time.
func TestErrorBesideLog(t *testing.T) {
	var stderr bytes.Buffer
	p := &program{name: "mailworker", stdout: io.Discard, stderr: &stderr, getenv: func(string) string { return "" }, tables: []dtask.Table{{greetTask.Bind(nil)}}}
	stop, logging := make(chan struct{}), make(chan struct{})
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.DiscardHandler)) // until the program sets its own
	go func() {
		defer close(logging)
		for {
			select {
			case <-stop:
				return
			default:
				slog.Default().Info("a library has something to say")
			}
		}
	}()
	code := p.run([]string{"-url", "sqlite:/nowhere/at/all/tasks.db"})
	close(stop)
	<-logging
	if code != exitFailed || !strings.Contains("\n"+stderr.String(), "\nmailworker: ") {
		t.Errorf("exit code %d, error\n%s", code, stderr.String())
	}
}

// Wrong use gets one line that says what is wrong, and exit code 2.
func TestWrongUse(t *testing.T) {
	for _, c := range []struct {
		args string
		env  map[string]string
		want string
	}{
		{args: "-nonsense", want: "-nonsense"},
		{args: "", want: "DTASK_URL"},
		{args: "-url sqlite:x -queues mail=0", want: `queue "mail" has concurrency "0"`},
		{args: "-url sqlite:x -queues mail,mail=3", want: "named twice"},
		{args: "-url sqlite:x -queues a/b", want: "a/b"},
		{args: "-url sqlite:x -concurrency 0", want: "-concurrency 0"},
		{args: "-url sqlite:x -grace forever", want: `invalid value "forever" for flag -grace: use a duration such as 30s`},
		{args: "-url sqlite:x -grace 5", want: "use a duration such as 30s"},
		{args: "-url sqlite:x -concurrency x", want: `invalid value "x" for flag -concurrency: use a whole number`},
		{args: "-url sqlite:x -max-tasks 1e3 -processes 1", want: "use a whole number"},
		{args: "-url sqlite:x -drain=perhaps", want: `invalid boolean value "perhaps" for -drain: use true or false`},
		{args: "-url sqlite:x -grace -1s", want: "-grace -1s"},
		{args: "-url sqlite:x -scheduler maybe", want: "use on or off"},
		{args: "-url sqlite:x -log xml", want: "use text or json"},
		{args: "-url sqlite:x -log-level trace", want: `invalid value "trace" for flag -log-level: use debug, info, warn or error`},
		{args: "-url sqlite:x -max-memory much -processes 1", want: "512MiB"},
		{args: "-url sqlite:x -max-tasks 5", want: "-max-tasks needs -processes"},
		{args: "-url sqlite:x -max-memory 5MiB", want: "-max-memory needs -processes"},
		{args: "-url sqlite:x -drain -processes 2", want: "-drain runs in one process"},
		{args: "-url sqlite:x -drain-retries", want: "-drain-retries needs -drain"},
		{args: "-url sqlite:x -dashboard :0", want: `import _ "github.com/dtaskhq/dtask/runtime/dashboard/auto"`},
		{args: "serve", want: `has no command "serve"; mailworker help lists them`},
		{args: "tasks all", want: `unknown command "all"`},
		{args: "run", want: "run TASK JSON"},
		{args: "run mail.Greet {} {}", want: "run TASK JSON"},
		{args: "run mail.Great", want: `no task "mail.Great" in this program; did you mean mail.Greet?`},
		{args: "run pictures.Rotate", want: `no task "pictures.Rotate" in this program; tasks lists them`},
		{args: `run mail.Greet {"nom":"x"}`, want: "has field nom, this build wants name"},
		{args: `run mail.Greet {"name":1}`, want: "name"},
		{args: `run mail.Greet {"name":`, want: "mail.Greet"},
		{env: map[string]string{"DTASK_URL": "sqlite:x", "DTASK_GRACE": "never"}, want: "variable DTASK_GRACE=never: use a duration such as 30s"},
		{env: map[string]string{"DTASK_URL": "sqlite:x", "DTASK_DRAIN": "perhaps"}, want: "variable DTASK_DRAIN=perhaps: use true or false"},
	} {
		code, out, stderr := runProgram(c.env, "", strings.Fields(c.args)...)
		if code != exitUsage || out != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, output %q, error %q; want code 2 and one line with %q", c.args, code, out, stderr, c.want)
		}
	}
}

// Flags win over variables, variables over defaults.
func TestConfig(t *testing.T) {
	env := map[string]string{"DTASK_CONCURRENCY": "7", "DTASK_QUEUES": "mail=20, images", "DTASK_GRACE": "1m", "DTASK_SCHEDULER": "off", "DTASK_MAX_MEMORY": "1.5GiB", "DTASK_LOG_LEVEL": "debug"}
	c, err := parseConfig("w", []string{"-concurrency=3", "-processes", "2"}, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if c.concurrency != 3 || c.queues.String() != "images,mail=20" || c.grace != time.Minute || bool(c.scheduler) || c.maxMemory != 3<<29 || c.logLevel != slog.LevelDebug {
		t.Errorf("config %+v", c)
	}
}

func TestTasks(t *testing.T) {
	code, out, _ := runProgram(nil, "", "tasks")
	want := `TASK        QUEUE    RETRIES  TIMEOUT  BACKOFF  PRIORITY  SCHEDULE                      SCHEMA
mail.Count  mail     0        none     0s       default   -                             name string
mail.Greet  mail     5        30s      1m       default   -                             name string
mail.Purge  default  3        none     1m30s    default   CRON_TZ=Europe/Berlin @daily  empty
`
	if code != exitOK || out != want {
		t.Errorf("exit code %d, output\n%s\nwant\n%s", code, out, want)
	}
}

func TestRunTask(t *testing.T) {
	dtask.SetDefault(nil) // another test may have left its client
	if code, out, stderr := runProgram(nil, "", "run", "mail.Greet", `{"name":"Ada"}`); code != exitOK || out != "hello Ada" {
		t.Errorf("exit code %d, output %q, error %q", code, out, stderr)
	}
	if code, out, stderr := runProgram(nil, "", "run", "mail.Count", `{"name":"Ada"}`); code != exitOK || out != "3\n" {
		t.Errorf("with a result: exit code %d, output %q, error %q", code, out, stderr)
	}
	if code, out, stderr := runProgram(nil, `{"name":"Bob"}`, "run", "mail.Greet", "-"); code != exitOK || out != "hello Bob" {
		t.Errorf("from standard input: exit code %d, output %q, error %q", code, out, stderr)
	}
	if code, _, stderr := runProgram(nil, "", "run", "mail.Purge"); code != exitOK {
		t.Errorf("without arguments: exit code %d, error %q", code, stderr)
	}
	if code, _, stderr := runProgram(nil, "", "run", "mail.Greet", `{"name":"nobody"}`); code != exitFailed || !strings.Contains(stderr, "mail.Greet: nobody is there") {
		t.Errorf("failing task: exit code %d, error %q", code, stderr)
	}
	if code, _, stderr := runProgram(nil, "", "run", "mail.Greet", `{"name":"panic"}`); code != exitFailed || !strings.Contains(stderr, "panic: ouch") || !strings.Contains(stderr, "command_test.go") {
		t.Errorf("panicking task: exit code %d, error %q", code, stderr)
	}
	if code, _, stderr := runProgram(nil, "", "run", "mail.Greet", `{"name":"purge"}`); code != exitFailed || !strings.Contains(stderr, "mail.Greet: it delays a task, and there is no broker; set -url or DTASK_URL") {
		t.Errorf("a Delay in the task, without a broker: exit code %d, error %q", code, stderr)
	}
	env := map[string]string{"DTASK_URL": "sqlite:" + filepath.Join(t.TempDir(), "tasks.db")}
	if code, _, stderr := runProgram(env, "", "run", "mail.Greet", `{"name":"purge"}`); code != exitOK {
		t.Errorf("a Delay in the task: exit code %d, error %q", code, stderr)
	}
}

// A broker that refuses is an error at once.
func TestBrokerRefuses(t *testing.T) {
	for _, args := range [][]string{{}, {"-drain"}} {
		code, _, stderr := runProgram(nil, "", append(args, "-url", "sqlite:/nowhere/at/all/tasks.db")...)
		if code != exitFailed || !strings.Contains(stderr, "/nowhere/at/all/tasks.db") {
			t.Errorf("%v: exit code %d, error %q", args, code, stderr)
		}
	}
	if code, _, stderr := runProgram(nil, "", "-url", "carrier-pigeon:x"); code != exitFailed || !strings.Contains(stderr, "carrier-pigeon") {
		t.Errorf("exit code %d, error %q", code, stderr)
	}
}

// A broker that does not answer fails a drain, and does not fail a worker.
func TestBrokerSilent(t *testing.T) {
	if testing.Short() {
		skip.Test(t, "takes the time after which a broker counts as silent")
	}
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	code, _, stderr := runProgram(nil, "", "-drain", "-url", "amqp://guest:secret@"+l.Addr().String())
	if code != exitFailed || !strings.Contains(stderr, "no answer within") || strings.Contains(stderr, "secret") {
		t.Errorf("exit code %d, error %q", code, stderr)
	}
}

func TestVersion(t *testing.T) {
	if code, out, _ := runProgram(map[string]string{"DTASK_VERSION": "x"}, "", "-version"); code != exitOK || !strings.Contains(out, "go1.") {
		t.Errorf("exit code %d, output %q", code, out)
	}
}

func TestTerminalLog(t *testing.T) {
	var b bytes.Buffer
	status := &statusLine{out: &b}
	log := slog.New(newTerminalHandler(status, slog.LevelInfo))
	log.Debug("not shown")
	log.With("child", 1).WithGroup("g").Warn("task failed", "err", "no such user", "level", "x", "msg", "y")
	line := b.String()
	if _, rest, _ := strings.Cut(line, " "); rest != "WARN  task failed child=1 g.err=\"no such user\" g.level=x g.msg=y\n" {
		t.Errorf("line %q", line)
	}
	b.Reset()
	status.show("3 left")
	log.Info("note")
	status.show("")
	if got := b.String(); !strings.HasPrefix(got, eraseLine+"3 left"+eraseLine) || !strings.HasSuffix(got, "INFO  note \n3 left"+eraseLine) {
		t.Errorf("terminal shows %q", got)
	}
}
