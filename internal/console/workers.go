package console

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

func (p *Program) workers() *cobra.Command {
	var running bool
	var schema string
	c := &cobra.Command{
		Use:   "workers",
		Short: "List the worker processes, or what they run; quiet or stop them",
		Long: `List the worker processes that have been heard of in the last seconds: where they are,
which build they run, and what became of messages since their start. One that was killed
is gone within 15 seconds. workers quiet, resume and stop steer them. In JSON they have the fingerprints of their tasks, and what
they run, too.`,
		Example: "  dtask workers\n  dtask workers --running",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return p.with(c.Context(), func(o *operate.Operator) error {
				ps, err := o.Workers(c.Context())
				if schema != "" {
					ps = withSchema(ps, schema)
				}
				if running {
					return writeAll(p, runningOf(ps), err, runningColumns, func(r runningRecord) any { return r })
				}
				return writeAll(p, ps, err, workerColumns, func(p broker.Process) any { return p })
			})
		},
	}
	c.AddCommand(
		p.steer("quiet", "Have workers fetch no more; they finish what they have, and stay",
			`They go on to enqueue periodic tasks. Their messages go to other workers, if there are
any; workers resume ends it, and so does a restart.`, "quiet", broker.OrderQuiet),
		p.steer("resume", "Have quiet workers fetch again", "", "fetching", broker.OrderResume),
		p.steer("stop", "Stop workers, as SIGTERM does",
			`They fetch no more, let running tasks finish within their grace period, hand the rest
back, and end. A supervisor (-processes, systemd, Kubernetes) may start another process
in their place.`, "stopping", broker.OrderStop),
	)
	c.Flags().BoolVar(&running, "running", false, "list the messages that run, up to 100 of each worker")
	c.Flags().StringVar(&schema, "schema", "", "only workers with a task of this `FINGERPRINT`")
	return c
}

// withSchema returns the processes that have a task of a fingerprint.
func withSchema(ps []broker.Process, schema string) (some []broker.Process) {
	for _, p := range ps {
		for _, t := range p.Tasks {
			if t.Schema == schema {
				some = append(some, p)
				break
			}
		}
	}
	return some
}

// buildOf names a build as people compare it.
func buildOf(b broker.Build) string {
	parts := []string{b.Version, b.Revision[:min(12, len(b.Revision))], b.Program}
	if b.Modified {
		parts = append(parts, "modified")
	}
	text := strings.Join(strings.Fields(strings.Join(parts, " ")), " ")
	if short := strings.TrimPrefix(text, "(devel) "); short != "modified" {
		return short
	}
	return text
}

func queuesOf(p broker.Process) string {
	var texts []string
	for _, q := range p.Queues {
		texts = append(texts, q.Name+"="+strconv.Itoa(q.Concurrency))
	}
	return strings.Join(texts, ",")
}

var workerColumns = []column[broker.Process]{
	{key: "id", value: func(p broker.Process) string { return p.ID }},
	{key: "host", title: "HOST", value: func(p broker.Process) string { return p.Host }},
	{key: "pid", title: "PID", value: func(p broker.Process) string { return strconv.Itoa(p.PID) }},
	{key: "started", title: "UP", cell: func(p broker.Process) string { return printable.Since(p.Started) }, value: func(p broker.Process) string { return stamp(p.Started) }},
	{key: "build", title: "BUILD", value: func(p broker.Process) string { return buildOf(p.Build) }},
	{key: "state", title: "STATE", value: func(p broker.Process) string { return string(p.State) }},
	{key: "queues", title: "QUEUES", value: queuesOf},
	{key: "running", title: "RUNNING", value: func(p broker.Process) string { return strconv.Itoa(p.RunningTotal) }},
	total("done", "DONE", func(p broker.Process) int64 { return p.Done }),
	total("retried", "RETRIED", func(p broker.Process) int64 { return p.Retried }),
	total("dead", "DEAD", func(p broker.Process) int64 { return p.Dead }),
	total("snoozed", "", func(p broker.Process) int64 { return p.Snoozed }),
	total("cancelled", "", func(p broker.Process) int64 { return p.Cancelled }),
	total("handed_back", "", func(p broker.Process) int64 { return p.HandedBack }),
}

func total(key, title string, n func(broker.Process) int64) column[broker.Process] {
	return column[broker.Process]{key: key, title: title, value: func(p broker.Process) string { return strconv.FormatInt(n(p), 10) }}
}

// A runningRecord is a message that runs, and where.
type runningRecord struct {
	broker.ProcessRunning
	Host   string `json:"host"`
	PID    int    `json:"pid"`
	Worker string `json:"worker"` // the id of the process
}

func runningOf(ps []broker.Process) (all []runningRecord) {
	for _, p := range ps {
		for _, r := range p.Running {
			all = append(all, runningRecord{r, p.Host, p.PID, p.ID})
		}
	}
	return all
}

var runningColumns = []column[runningRecord]{
	{key: "id", title: "ID", value: func(r runningRecord) string { return r.ID }},
	{key: "task", title: "TASK", cell: func(r runningRecord) string { return shortTask(r.Task) }, value: func(r runningRecord) string { return r.Task }},
	{key: "queue", title: "QUEUE", value: func(r runningRecord) string { return r.Queue }},
	{key: "attempt", title: "ATTEMPT", value: func(r runningRecord) string { return strconv.Itoa(r.Attempt) }},
	{key: "since", title: "FOR", cell: func(r runningRecord) string { return printable.Since(r.Since) }, value: func(r runningRecord) string { return stamp(r.Since) }},
	{key: "host", title: "HOST", value: func(r runningRecord) string { return r.Host }},
	{key: "pid", title: "PID", value: func(r runningRecord) string { return fmt.Sprint(r.PID) }},
	{key: "worker", value: func(r runningRecord) string { return r.Worker }},
}
