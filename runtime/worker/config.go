package worker

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
)

// config is what the command line and the environment say.
type config struct {
	url         string
	queues      queueList
	concurrency int
	grace       time.Duration
	scheduler   onOff

	drain        bool
	drainRetries bool

	processes int
	maxTasks  int64
	maxMemory byteSize

	health  string
	pidfile string

	logFormat logFormat
	logLevel  slog.Level

	version bool

	// command is list, run, or empty for the worker itself.
	command []string
}

// A usageError is an error of the command line or the environment.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// parseConfig reads the command line, and the environment for what it leaves
// open. Its error is flag.ErrHelp, or a usageError.
func parseConfig(name string, args []string, getenv func(string) string) (*config, error) {
	c, fs := newFlags(name)
	fs.SetOutput(io.Discard)
	err := fs.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil, err
	} else if err != nil {
		return nil, usagef("%w", err)
	}
	given := make(map[string]bool)
	fs.Visit(func(f *flag.Flag) { given[f.Name] = true })
	fs.VisitAll(func(f *flag.Flag) {
		v := envName(f.Name)
		value := getenv(v)
		if value == "" || given[f.Name] || f.Name == "version" {
			return
		}
		if e := f.Value.Set(value); e != nil && err == nil {
			err = usagef("variable %s=%s: %w", v, value, e)
		}
	})
	if err != nil {
		return nil, err
	}
	c.command = fs.Args()
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

// newFlags returns the flags with their defaults, and where their values go.
func newFlags(name string) (*config, *flag.FlagSet) {
	c := &config{scheduler: true, logFormat: "text"}
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.StringVar(&c.url, "url", "", "`URL` of the broker: sqlite:FILE, amqp://USER:PASSWORD@HOST/VHOST, amqps://…; required")
	fs.Var(&c.queues, "queues", "consume the queues of `LIST`, each with its concurrency if not the default: mail=20,images (default: all queues of the tasks)")
	fs.IntVar(&c.concurrency, "concurrency", 10, "run `N` tasks of each queue at once")
	fs.DurationVar(&c.grace, "grace", 30*time.Second, "at a stop, let running tasks finish for `DURATION`")
	fs.Var(&c.scheduler, "scheduler", "turn the enqueueing of periodic tasks `on|off`")
	fs.BoolVar(&c.drain, "drain", false, "run what is due, then exit: 0 if all is done, 3 if something went to the dead letters")
	fs.BoolVar(&c.drainRetries, "drain-retries", false, "with -drain: also wait for retries that fall due within -grace")
	fs.IntVar(&c.processes, "processes", 0, "supervise `N` processes that run the tasks (default: run them in this one)")
	fs.Int64Var(&c.maxTasks, "max-tasks", 0, "with -processes: replace a process after `N` tasks (default: never)")
	fs.Var(&c.maxMemory, "max-memory", "with -processes: replace a process that uses more than `SIZE`, as 512MiB (default: never)")
	fs.StringVar(&c.health, "health", "", "serve /livez, /readyz and /debug/vars on `ADDR`, as :8080 (default: not)")
	fs.StringVar(&c.pidfile, "pidfile", "", "write the process id to `FILE` (default: not)")
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

// usable says what a flag of one of package flag's types takes: its own error
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

// check reports settings that make no sense.
func (c *config) check() error {
	switch {
	case c.concurrency < 1:
		return usagef("-concurrency %d: use 1 or more", c.concurrency)
	case c.grace < 0:
		return usagef("-grace %v: use 0 or more", c.grace)
	case c.processes < 0:
		return usagef("-processes %d: use 0 or more", c.processes)
	case c.maxTasks < 0:
		return usagef("-max-tasks %d: use 0 or more", c.maxTasks)
	case c.processes == 0 && c.maxTasks > 0:
		return usagef("-max-tasks needs -processes: a process is replaced by its supervisor")
	case c.processes == 0 && c.maxMemory > 0:
		return usagef("-max-memory needs -processes: a process is replaced by its supervisor")
	case c.drain && c.processes > 0:
		return usagef("-drain runs in one process; raise -concurrency, or start several drains")
	case c.drainRetries && !c.drain:
		return usagef("-drain-retries needs -drain")
	}
	return nil
}

// workerConfig returns the settings of the runtime's worker.
func (c *config) workerConfig(log *slog.Logger, middleware ...dtask.Middleware) dtask.WorkerConfig {
	return dtask.WorkerConfig{
		Queues:      c.queues,
		Concurrency: c.concurrency,
		Grace:       cmp.Or(c.grace, -1), // 0 means the default there
		Middleware:  middleware,
		Scheduled:   true, // by this program, or it was told not to
		Logger:      log,
	}
}

// help prints the usage of the program.
func help(w io.Writer, name string) {
	fmt.Fprintf(w, `Usage:
  %[1]s [flags]                  run tasks until told to stop
  %[1]s [flags] list             print the tasks of this program
  %[1]s [flags] run TASK [JSON]  run one task now (- reads standard input)

Flags, and the variables that set the same:
`, name)
	_, fs := newFlags(name)
	fs.VisitAll(func(f *flag.Flag) {
		arg, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(w, "\n  -%s", f.Name)
		if arg != "" {
			fmt.Fprintf(w, " %s", arg)
		}
		if f.Name != "version" {
			fmt.Fprintf(w, ", %s", envName(f.Name))
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			usage += " (default " + strings.ToLower(f.DefValue) + ")"
		}
		for line := range wrap(usage, 72) {
			fmt.Fprintf(w, "\n      %s", line)
		}
	})
	fmt.Fprint(w, "\n\nExit codes:\n")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(tw, "  0\tstopped in good order, or drained\n"+
		"  1\tfailed\n"+
		"  2\twrong use\n"+
		"  3\tdrained, and something went to the dead letters\n")
	tw.Flush()
}

// wrap yields the lines of text broken at spaces, of at most width characters.
func wrap(text string, width int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		line := ""
		for word := range strings.FieldsSeq(text) {
			if line != "" && len([]rune(line))+1+len([]rune(word)) > width {
				if !yield(line) {
					return
				}
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		yield(line)
	}
}

// queueList is the value of -queues: queue → concurrency, 0 for the default.
type queueList map[string]int

func (l queueList) String() string {
	var parts []string
	for _, q := range slices.Sorted(maps.Keys(l)) {
		if l[q] > 0 {
			q += "=" + strconv.Itoa(l[q])
		}
		parts = append(parts, q)
	}
	return strings.Join(parts, ",")
}

func (l *queueList) Set(s string) error {
	list := make(queueList)
	for part := range strings.SplitSeq(s, ",") {
		queue, number, counted := strings.Cut(strings.TrimSpace(part), "=")
		n := 0
		if counted {
			var err error
			if n, err = strconv.Atoi(number); err != nil || n < 1 {
				return fmt.Errorf("queue %q has concurrency %q; use 1 or more", queue, number)
			}
		}
		if queue == "" {
			return errors.New("a queue has no name; write mail=20,images=4")
		}
		if _, twice := list[queue]; twice {
			return fmt.Errorf("queue %q is named twice", queue)
		}
		list[queue] = n
	}
	*l = list
	return nil
}

// onOff is the value of a flag that is on or off.
type onOff bool

func (o onOff) String() string {
	if o {
		return "on"
	}
	return "off"
}

func (o *onOff) Set(s string) error {
	switch s {
	case "on":
		*o = true
	case "off":
		*o = false
	default:
		return errors.New("use on or off")
	}
	return nil
}

// byteSize is a number of bytes, written with a unit.
type byteSize int64

var byteUnits = []struct {
	suffix string
	factor float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}}

func (b byteSize) String() string {
	switch {
	case b >= 1<<30:
		return fmt.Sprintf("%.4gGiB", float64(b)/(1<<30))
	case b >= 1<<20:
		return fmt.Sprintf("%.4gMiB", float64(b)/(1<<20))
	}
	return strconv.FormatInt(int64(b), 10)
}

func (b *byteSize) Set(s string) error {
	number, factor := s, 1.0
	for _, u := range byteUnits {
		if n, ok := strings.CutSuffix(s, u.suffix); ok {
			number, factor = n, u.factor
			break
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || n < 0 || n*factor >= 1<<63 {
		return errors.New("use a size such as 512MiB or 2GiB")
	}
	*b = byteSize(n * factor)
	return nil
}
