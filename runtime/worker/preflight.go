package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

// samples is how many messages of a kind preflight decodes.
const samples = 20

// An unaskedError says why preflight cannot tell what waits.
type unaskedError struct{ error }

// A finding is a kind of messages, and what this program would do with them.
type finding struct {
	Task     string       `json:"task"`
	Queue    string       `json:"queue"`
	Schema   string       `json:"schema"`
	State    broker.State `json:"state"`
	Messages int          `json:"messages"`
	Latest   *time.Time   `json:"latest,omitempty"` // when the last of the delayed ones is due
	Fate     inside.Fate  `json:"fate"`
	Reason   string       `json:"reason,omitempty"` // why they are not run
}

// preflight asks the broker what is there, and prints what this program would do
// with it. It runs nothing. The error is an [unaskedError], or says that something
// would not be run.
func (p *program) preflight(asJSON bool) error {
	if p.config.url == "" {
		return usagef("no broker; set -url or DTASK_URL")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, _, err := p.open(ctx)
	if err != nil {
		return unaskedError{err}
	}
	defer client.Close()
	counter, err := broker.As[broker.Counter](client.Broker())
	if err != nil {
		return unaskedError{err}
	}
	counts, unasked := counter.Counts(ctx, broker.Selection{})
	if errors.Is(unasked, broker.ErrUnsupported) { // some brokers know their dead letters only
		counts, err = counter.Counts(ctx, broker.Selection{States: []broker.State{broker.StateDead}})
	} else {
		err = unasked
	}
	if err != nil {
		return unaskedError{err}
	}
	findings, err := p.judge(ctx, client, counts)
	if err != nil {
		return unaskedError{err}
	}
	if err := p.printFindings(findings, asJSON); err != nil {
		return err
	}
	if unasked != nil {
		return unaskedError{fmt.Errorf("it cannot be told what waits in the queues: %w", unasked)}
	}
	stranded := 0
	for _, f := range findings {
		if f.State != broker.StateDead && f.Fate != inside.Runs && f.Fate != inside.Converted {
			stranded += f.Messages
		}
	}
	if stranded > 0 {
		return fmt.Errorf("this program would not run %d of the waiting messages", stranded)
	}
	return nil
}

// judge finds out what this program would do with messages of each kind.
func (p *program) judge(ctx context.Context, client *dtask.Client, counts []broker.Count) ([]finding, error) {
	tasks := make(map[string]dtask.BoundTask)
	for _, t := range p.boundTasks() {
		for _, name := range append([]string{t.Name}, t.Spec.Was...) {
			tasks[name] = t
		}
	}
	var findings []finding
	for _, c := range counts {
		f := finding{Task: c.Task, Queue: c.Queue, Schema: c.Schema, State: c.State, Messages: c.Messages, Fate: inside.Unknown, Reason: "this program has no such task"}
		if c.State == broker.StateDelayed {
			f.Latest = &c.Latest
		}
		if t, ok := tasks[c.Task]; ok {
			f.Fate, f.Reason = inside.Judge(t, c.Schema)
			if f.Fate == inside.Runs || f.Fate == inside.Converted {
				if err := p.sample(ctx, client, t, c, &f); err != nil {
					return nil, err
				}
			}
		}
		findings = append(findings, f)
	}
	slices.SortStableFunc(findings, func(a, b finding) int { return cmp.Or(cmp.Compare(a.Task, b.Task), cmp.Compare(a.Queue, b.Queue)) })
	return findings, nil
}

// sample decodes some messages of a kind, without running them. One that does not
// decode says more than the kind.
func (p *program) sample(ctx context.Context, client *dtask.Client, t dtask.BoundTask, c broker.Count, f *finding) error {
	lister, err := broker.As[broker.Lister](client.Broker())
	if err != nil {
		return nil // the kind has to do
	}
	page, err := lister.List(ctx, broker.Selection{Queues: []string{c.Queue}, Tasks: []string{c.Task}, Schemas: []string{c.Schema}, States: []broker.State{c.State}}, "", samples)
	if err != nil {
		return err
	}
	bad := 0
	for _, s := range page.Messages {
		if err := inside.Decode(ctx, t, s.Message); err != nil {
			if bad++; bad == 1 {
				f.Reason = err.Error()
			}
		}
	}
	if bad > 0 {
		f.Fate = inside.Refused
		f.Reason = fmt.Sprintf("%d of %d that were tried do not decode: %s", bad, len(page.Messages), f.Reason)
	}
	return nil
}

// printFindings prints a table, or a JSON object for each.
func (p *program) printFindings(findings []finding, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(p.stdout)
		for _, f := range findings {
			if err := e.Encode(f); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TASK\tQUEUE\tSCHEMA\tSTATE\tMESSAGES\tFATE")
	for _, f := range findings {
		fate := string(f.Fate)
		if f.Reason != "" {
			fate += ": " + f.Reason
		}
		state := string(f.State)
		if f.Latest != nil {
			state += " until " + f.Latest.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", printable(f.Task), printable(f.Queue), printable(cmp.Or(f.Schema, "-")), state, f.Messages, printable(fate))
	}
	return w.Flush()
}
