package worker

import (
	"errors"
	"flag"
	"log/slog"
	"strings"
	"time"
)

// newFlags returns the flags with their defaults, and the config that they set.
func newFlags(name string) (*config, *flag.FlagSet) {
	c := &config{scheduler: true, logFormat: "text"}
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.StringVar(&c.url, "url", "", "`URL` of the broker: sqlite:FILE, amqp://USER:PASSWORD@HOST/VHOST, amqps://…; required")
	fs.Var(&c.queues, "queues", "consume the queues of `LIST`, each with its concurrency if not the default: mail=20,images (default: all queues of the tasks)")
	fs.IntVar(&c.concurrency, "concurrency", 10, "run `N` tasks of each queue at once")
	fs.DurationVar(&c.grace, "grace", 30*time.Second, "at a stop, let running tasks finish for `DURATION`")
	fs.Var(&c.scheduler, "scheduler", "turn the enqueueing of periodic tasks `on|off`")
	fs.BoolVar(&c.drain, "drain", false, "run what is due, then exit: 0 if all is done, 3 if something was moved to the dead letters")
	fs.BoolVar(&c.drainRetries, "drain-retries", false, "with -drain: also wait for retries that fall due within -grace")
	fs.IntVar(&c.processes, "processes", 0, "supervise `N` processes that run the tasks (default: run them in this one)")
	fs.Int64Var(&c.maxTasks, "max-tasks", 0, "with -processes: replace a process after `N` tasks (default: never)")
	fs.Var(&c.maxMemory, "max-memory", "with -processes: replace a process that uses more than `SIZE`, as 512MiB (default: never)")
	fs.DurationVar(&c.journal, "journal", 7*24*time.Hour, "keep the journal, what became of messages by the minute, for `DURATION`; 0: write none")
	fs.BoolVar(&c.keepLogs, "keep-logs", false, "keep what tasks log by dtask.Logger with their messages, if they fail")
	fs.StringVar(&c.health, "health", "", "serve /livez, /readyz and /debug/vars on `ADDR`, as :8080 (default: none)")
	fs.StringVar(&c.dashboard, "dashboard", "", "serve the pages of operators on `ADDR`, as :8081, for reading and to this machine alone unless there is a token (default: none)")
	fs.StringVar(&c.dashboardToken, "dashboard-token", "", "with -dashboard: whoever knows `TOKEN` may do everything, and others nothing; better in the variable, as command lines can be seen")
	fs.StringVar(&c.pidfile, "pidfile", "", "write the process id to `FILE` (default: none)")
	fs.Var(&c.logFormat, "log", "log as `text|json`, to standard error")
	fs.TextVar(&c.logLevel, "log-level", slog.LevelInfo, "log what is `debug|info|warn|error` or worse")
	fs.BoolVar(&c.version, "version", false, "print the version and exit")
	fs.VisitAll(func(f *flag.Flag) {
		if use := usable(f.Value); use != "" {
			f.Value = explained{f.Value, use}
		}
	})
	return c, fs
}

// usable says what a flag takes, for the types of package flag: their own error
// says no more than "parse error". Our types say it themselves.
func usable(v flag.Value) string {
	g, ok := v.(flag.Getter)
	if !ok {
		return ""
	}
	switch g.Get().(type) {
	case bool:
		return "true or false"
	case int, int64:
		return "a whole number"
	case time.Duration:
		return "a duration such as 30s"
	case *slog.Level:
		return "debug, info, warn or error"
	}
	return ""
}

// explained is the value of a flag whose error says what to use.
type explained struct {
	flag.Value
	use string
}

func (e explained) Set(s string) error {
	if e.Value.Set(s) != nil {
		return errors.New("use " + e.use)
	}
	return nil
}

// IsBoolFlag reports, to package flag, whether the flag may stand without a
// value.
func (e explained) IsBoolFlag() bool {
	b, ok := e.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// envName returns the variable that sets a flag: DTASK_MAX_TASKS for max-tasks.
func envName(flag string) string {
	return "DTASK_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}
