package dashboard

import (
	"context"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// A stateLink leads to the messages of a state.
type stateLink struct {
	Word, Query, Count string
	Now                bool
}

// states returns the links to each state, and how many messages the page is of: -1 if
// that is not known.
func (v *visit) states(s selection.Selection) ([]stateLink, int) {
	by, known := v.counts(s.Without("state"))
	asked, rest := s.Of("state"), s.Without("state").String()
	all := 0
	for _, n := range by {
		if all += n; n < 0 || all < 0 {
			all = -1
		}
	}
	count := func(n int) string {
		if !known {
			return ""
		}
		return number(n)
	}
	total, links := all, []stateLink{{"All", v.query(rest), count(all), asked == ""}}
	for i, st := range statesInOrder {
		text := strings.TrimSpace("state:" + string(st) + " " + rest)
		links = append(links, stateLink{stateWords[st], v.query(text), count(by[i]), asked == string(st)})
		if asked == string(st) {
			total = by[i]
		}
	}
	if !known || asked == "" && rest != s.String() || strings.Contains(asked, ",") {
		total = -1
	}
	return links, total
}

var statesInOrder = [...]broker.State{broker.StateReady, broker.StateRunning, broker.StateDelayed, broker.StateDead}

// counts counts what a selection means, in the order of the states. If that takes long, or
// the broker cannot, it reports that it does not know.
func (v *visit) counts(s selection.Selection) (by [len(statesInOrder)]int, known bool) {
	if queue := s.Of("queue"); s.All() || queue != "" && !strings.ContainsAny(queue, "*,") && s.Without("queue").All() {
		queues := see(v, v.looks.queues)
		for _, q := range queues.value {
			if queue == "" || queue == q.Queue {
				for i, n := range [...]int{q.Ready, q.Running, q.Delayed, q.Dead} {
					if by[i] += n; n < 0 || by[i] < 0 {
						by[i] = -1
					}
				}
			}
		}
		return by, queues.known()
	}
	seen := see(v, v.looks.counts.get(s.String(), func(ctx context.Context) ([]broker.Count, error) {
		return v.operator.Counts(ctx, s)
	}))
	for _, c := range seen.value {
		by[slices.Index(statesInOrder[:], c.State)] += c.Messages
	}
	return by, seen.known()
}
