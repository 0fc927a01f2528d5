package dashboard

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// cannotList shows what the broker can, the dead letters, and why it is no more; and where
// it can be looked at what waits.
func (v *visit) cannotList(p messagesPage, why error) (any, error) {
	p.Cannot = sentence(why)
	p.States, _ = v.states(p.Find.s)
	queue := p.Find.s.Of("queue")
	for _, q := range see(v, v.looks.queues).value {
		if q.Ready != 0 && (queue == "" || queue == q.Queue) && v.operator.Holds() {
			p.Peek = append(p.Peek, q.Queue)
		}
	}
	p.Verdict, p.Rest = "These messages cannot be listed.", "Dead letters can, and what runs stands with the workers."
	if p.Find.s.Of("state") != "" {
		return p, nil
	}
	seen := v.list(onlyDead(p.Find.s), "")
	if !seen.known() {
		return p, seen.err
	}
	p.Rows, p.Query = seen.value.rows, v.query(onlyDead(p.Find.s).String())
	p.Verdict = fmt.Sprintf("%s here.", plural(len(p.Rows), "dead letter"))
	if seen.value.next != "" {
		p.Next = p.Query + "&after=" + url.QueryEscape(string(seen.value.next))
		p.Verdict = fmt.Sprintf("The first %s.", plural(len(p.Rows), "dead letter"))
	}
	p.Rest = "What waits cannot be listed, and what runs stands with the workers."
	return p, nil
}

// maxPeek is how many messages a look at what waits shows.
const maxPeek = 100

// peek shows the first messages of a queue that wait, where that cannot be listed.
func (v *visit) peek() (any, error) {
	queue := v.r.PostForm.Get("queue")
	p := messagesPage{Total: -1, Find: found{Text: strings.TrimSpace("state:ready " + term("queue", queue))}, Operations: v.operationRows()}
	s, err := selection.Parse(p.Find.Text)
	if err != nil {
		return nil, err
	}
	some, err := v.operator.Peek(v.ctx(), queue, maxPeek, selection.Selection{})
	if err != nil {
		return nil, err
	}
	mask := v.operator.Mask(v.ctx())
	for _, m := range some {
		p.Rows = append(p.Rows, rowOf(m, mask))
	}
	p.States, _ = v.states(s)
	p.Query = v.query(p.Find.Text)
	p.Verdict, p.Rest = fmt.Sprintf("The first %s of %s that wait.", plural(len(some), "message"), queue), "They were held for a moment, and go to the workers again."
	p.Foot = fmt.Sprintf("As of %s UTC; at most %d are looked at.", v.now.UTC().Format("15:04:05"), maxPeek)
	p.Terms, p.Peek = v.terms(), []string{queue}
	return p, nil
}
