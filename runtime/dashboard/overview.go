package dashboard

import (
	"github.com/dtaskhq/dtask/runtime/broker"
)

// overviewPage is what the first page shows.
type overviewPage struct {
	Verdict, Rest string
	Needs         []need
	More          int // needs that are not shown

	Empty  bool // there is nothing yet: no worker, no message
	Figs   []figure
	Chart  *chart
	Spans  []chartSpan
	Tasks  []taskRow
	All    int // tasks
	Kinds  []kindRow
	Silent string // why there is no journal, in words
}

const (
	maxNeeds    = 5
	maxTaskRows = 8
	muchFailure = .02 // of all attempts, above which a share is red
)

func (v *visit) overview() (any, error) {
	queues, workers, hour := see(v, v.looks.queues), see(v, v.looks.workers), see(v, v.looks.hour)
	if !queues.known() && queues.unsupported() {
		return nil, queues.err
	}
	if v.pending { // what is not known is not to look like nothing
		return nil, errNotYet
	}
	rows := v.queueRows(queues.value)
	p := overviewPage{Empty: queues.known() && len(queues.value) == 0 && len(workers.value) == 0 && len(hour.value) == 0}
	if p.Empty {
		return p, nil
	}
	needs := v.needs(rows, workers, hour)
	p.More = max(len(needs)-maxNeeds, 0)
	p.Needs = needs[:min(len(needs), maxNeeds)]
	p.Verdict, p.Rest = verdict(len(needs), workers)
	if hour.err != nil && !hour.known() {
		p.Silent = sentence(hour.err)
	}
	p.Figs = v.figures(rows, hour.value)
	p.Chart, p.Spans = v.attempts(hour.value, workers.value)
	p.Tasks, p.All = v.taskRows(hour.value)
	p.Kinds = kindRows(hour.value)
	return p, nil
}

func verdict(needs int, workers sight[[]broker.Process]) (string, string) {
	switch {
	case needs == 0 && workers.known():
		return "All is well.", "Every queue with messages has a worker, none is behind, and nothing died in the last hour."
	case needs == 0:
		return "Nothing is known to be wrong.", "Who runs the tasks is not known."
	case needs == 1:
		return "One thing needs you.", "The rest runs."
	case needs < len(words):
		return words[needs] + " need you.", "The rest runs."
	}
	return number(needs) + " things need you.", "The worst come first."
}
