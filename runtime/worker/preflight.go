package worker

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// samples is how many messages of a kind preflight decodes.
const samples = 20

// An unaskedError says why preflight cannot tell what waits.
type unaskedError struct{ error }

// preflight asks the broker what is there, and prints what this program would do
// with it; or, with the lock of an older one, what that would do with what this
// program sends. It runs nothing. The error is an [unaskedError], or says that
// something would not be run.
func (p *program) preflight(args []string) error {
	flags := flag.NewFlagSet("preflight", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	asJSON := flags.Bool("json", false, "")
	from := flags.String("from", "", "")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return usagef("preflight takes no arguments but -json and -from OLD.lock")
	}
	if *from != "" {
		findings, err := p.from(*from)
		if err != nil {
			return err
		}
		return p.conclude(findings, *asJSON, nil, "workers with %s would not run what this program sends for %d tasks; deploy workers first", *from)
	}
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
	findings, unknown, err := p.look(ctx, client)
	if err != nil {
		return unaskedError{err}
	}
	return p.conclude(findings, *asJSON, unknown, "", "")
}

// look finds out what is there. unknown says why something may be there that is not
// among the findings.
func (p *program) look(ctx context.Context, client *dtask.Client) (findings []finding, unknown, err error) {
	there, err := operate.New(client.Broker()).Waiting(ctx)
	if err != nil {
		return nil, nil, err
	}
	if findings, err = p.judge(ctx, client, there.Counts); err != nil {
		return nil, nil, err
	}
	findings = append(findings, p.judgeCensus(there.Kinds)...)
	kept, err := p.judgeKept(ctx, client)
	findings = append(findings, kept...)
	slices.SortStableFunc(findings, func(a, b finding) int { return cmp.Or(cmp.Compare(a.Task, b.Task), cmp.Compare(a.Queue, b.Queue)) })
	return findings, there.Unknown, err
}

// conclude prints findings, and returns the error that they mean. A text other than
// the usual one has the number of findings that are not well.
func (p *program) conclude(findings []finding, asJSON bool, unknown error, text, from string) error {
	if err := p.printFindings(findings, asJSON); err != nil {
		return err
	}
	kinds, messages, results, maybe := 0, 0, 0, 0
	for _, f := range findings {
		switch {
		case f.well():
			continue
		case f.State == stateKept:
			results += f.Messages
		case f.State == stateMaybe:
			maybe++
		default:
			messages += f.Messages
		}
		kinds++
	}
	switch {
	case kinds > 0 && text != "":
		return fmt.Errorf(text, from, kinds)
	case messages > 0:
		return fmt.Errorf("this program would not run %d of the waiting messages", messages)
	case maybe > 0:
		return fmt.Errorf("this program would not run messages of %d kinds that may wait", maybe)
	case results > 0:
		return fmt.Errorf("this program could not read %d of the results that are kept", results)
	case unknown != nil:
		return unaskedError{unknown}
	}
	return nil
}

// byName returns the tasks of the program by the names that they have and had.
func (p *program) byName() map[string]dtask.BoundTask {
	tasks := make(map[string]dtask.BoundTask)
	for _, t := range p.boundTasks() {
		for _, name := range append([]string{t.Name}, t.Spec.Was...) {
			tasks[name] = t
		}
	}
	return tasks
}

const noSuchTask = "this program has no such task"

// judge finds out what this program would do with messages of each kind.
func (p *program) judge(ctx context.Context, client *dtask.Client, counts []broker.Count) ([]finding, error) {
	tasks := p.byName()
	var findings []finding
	for _, c := range counts {
		f := finding{Task: c.Task, Queue: c.Queue, Schema: c.Schema, State: c.State, Messages: c.Messages, Fate: broker.FateUnknown, Reason: noSuchTask}
		if c.State == broker.StateDelayed {
			f.Latest = &c.Latest
		}
		if t, ok := tasks[c.Task]; ok {
			f.Fate, f.Reason = inside.Judge(t, c.Schema)
			if f.Fate == broker.FateRuns || f.Fate == broker.FateConverted {
				if err := p.sample(ctx, client, t, c, &f); err != nil {
					return nil, err
				}
			}
		}
		findings = append(findings, f)
	}
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
	bad, tried := 0, 0
	for _, s := range page.Messages {
		tried++
		err := tryDecode(ctx, t, s.Message)
		if err == nil {
			continue
		}
		if bad++; bad == 1 {
			f.Reason = err.Error()
		}
		if errors.Is(err, errSlow) {
			break
		}
	}
	if bad > 0 {
		f.Fate = broker.FateRefused
		f.Reason = fmt.Sprintf("%d of %d that were tried do not decode: %s", bad, tried, f.Reason)
	}
	return nil
}

// decodeTime is how long decoding one message may take, with its upcasters.
const decodeTime = 10 * time.Second

var errSlow = fmt.Errorf("converting its arguments takes longer than %v", decodeTime)

// tryDecode decodes the arguments of a message. An upcaster may panic, or not return.
func tryDecode(ctx context.Context, t dtask.BoundTask, m *broker.Message) error {
	ctx, cancel := context.WithTimeout(ctx, decodeTime)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				done <- fmt.Errorf("converting its arguments panics: %v", v)
			}
		}()
		done <- inside.Decode(ctx, t, m)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		if ctx.Err() == context.DeadlineExceeded {
			return errSlow
		}
		return ctx.Err()
	}
}
