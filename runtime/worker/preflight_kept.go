package worker

import (
	"context"
	"fmt"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/internal/inside"
)

// judgeCensus finds out what this program would do with kinds of messages that may
// wait. There are none to be tried.
func (p *program) judgeCensus(kinds []broker.Kind) []finding {
	tasks := p.byName()
	var findings []finding
	for _, k := range kinds {
		f := finding{Task: k.Task, Queue: k.Queue, Schema: k.Schema, State: stateMaybe, Seen: &k.Seen, Fate: broker.FateUnknown, Reason: noSuchTask}
		if !k.Latest.IsZero() {
			f.Latest = &k.Latest
		}
		if t, ok := tasks[k.Task]; ok {
			f.Fate, f.Reason = inside.Judge(t, k.Schema)
		}
		findings = append(findings, f)
	}
	return findings
}

// judgeKept finds out what becomes of schedules and results, if the broker can tell
// which it keeps.
func (p *program) judgeKept(ctx context.Context, client *dtask.Client) ([]finding, error) {
	keeper, ok := client.Broker().(broker.Keeper)
	if !ok {
		return nil, nil
	}
	tasks := p.byName()
	ticks, err := keeper.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	var findings []finding
	for _, s := range ticks {
		f := finding{Task: s.Schedule, State: stateScheduled, Latest: &s.Last, Fate: fateStops, Reason: noSuchTask}
		if t, ok := tasks[s.Schedule]; ok && t.Spec.Cron != "" {
			f.Queue, f.Schema, f.Fate, f.Reason = t.Spec.Queue, t.Spec.Schema, fateTicks, ""
		} else if ok {
			f.Reason = "its task is not periodic any more"
		}
		findings = append(findings, f)
	}
	results, err := keeper.KeptResults(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range results {
		f := finding{Task: r.Task, Schema: r.Schema, State: stateKept, Messages: r.Results, Fate: broker.FateUnknown, Reason: noSuchTask}
		if t, ok := tasks[r.Task]; ok {
			f.Fate, f.Reason = fateReads, ""
			if err := inside.JudgeResult(t, r.Schema); err != nil {
				f.Fate, f.Reason = "is not read", fmt.Sprint(err)
			}
		}
		findings = append(findings, f)
	}
	return findings, nil
}
