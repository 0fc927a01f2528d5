package worker

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
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

	journal  time.Duration
	keepLogs bool

	health         string
	dashboard      string
	dashboardToken string
	pidfile        string

	logFormat logFormat
	logLevel  slog.Level

	version bool

	// command is what else to do, and empty for the worker itself.
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
			err = usagef("variable %s=%s: %w", v, typed(value), e)
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
	case c.journal < time.Minute && c.journal != 0:
		return usagef("-journal %v: use 0, or a minute or more", c.journal)
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
		KeepLogs:    c.keepLogs,
		Scheduled:   true, // this program does it, or was told not to
		Logger:      log,
	}
}
