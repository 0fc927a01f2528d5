package dashboard

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

const (
	// pageSize is how many messages a page has.
	pageSize = 50

	// searchPatience is how long is looked for them, if they are rare.
	searchPatience = 800 * time.Millisecond
)

// messagesPage is what the page of messages shows.
type messagesPage struct {
	Verdict, Rest string
	Find          found
	Query         string // that finds the page again
	States        []stateLink
	Rows          []messageRow
	First, Next   string   // queries; "" if there is no such page
	Total         int      // that match, or -1
	Cannot        string   // what the broker cannot list, in its words
	Peek          []string // queues whose first messages can be looked at instead
	Foot          string
	Terms         []string // that a selection may have
	Operations    []operationRow
	Pending       bool // there is no answer yet
}

// Count is how many match, if that is known.
func (p messagesPage) Count() string {
	if p.Total < 0 {
		return ""
	}
	return number(p.Total)
}

// A listing is a page of messages.
type listing struct {
	rows []messageRow
	next broker.Cursor
}

func (v *visit) messages() (any, error) {
	p := messagesPage{Find: v.find(), Total: -1, Operations: v.operationRows()}
	if p.Find.Error != "" {
		p.Verdict = "This is no selection."
		return p, nil
	}
	s, after := p.Find.s, broker.Cursor(v.r.URL.Query().Get("after"))
	p.Query = v.query(s.String())
	seen := v.list(s, after)
	if !seen.known() && seen.unsupported() {
		return v.cannotList(p, seen.err)
	}
	if !seen.known() && seen.err != nil {
		p.Verdict = "The messages could not be listed."
		p.Find.wrong(seen.err)
		return p, nil
	}
	if !seen.known() {
		p.Pending = true
		p.Verdict, p.Rest = "The messages are being looked for.", "The page shows them in a moment."
		return p, nil
	}
	p.Rows = seen.value.rows
	if after != "" {
		p.First = p.Query
	}
	if seen.value.next != "" {
		p.Next = p.Query + "&after=" + url.QueryEscape(string(seen.value.next))
	}
	p.States, p.Total = v.states(s)
	p.Verdict, p.Rest = p.says(s)
	p.Foot = p.foot(after != "")
	p.Terms = v.terms()
	return p, nil
}

// says is the first line of the page.
func (p *messagesPage) says(s selection.Selection) (string, string) {
	const kept = "Kept is what waits, runs, is delayed or dead; what is done is gone, and counted in the journal."
	match := "match"
	if p.Total == 1 {
		match = "matches"
	}
	switch {
	case p.Total < 0 && p.Next == "" && p.First == "":
		p.Total = len(p.Rows)
	case p.Total < 0:
		return fmt.Sprintf("≥ %s match.", number(len(p.Rows))), "They are being counted."
	}
	switch {
	case s.All() && p.Total == 0:
		return "There is no message.", kept
	case s.All():
		return plural(p.Total, "message") + ".", kept
	case p.Total == 0:
		return "Nothing matches.", kept
	}
	return number(p.Total) + " " + match + ".", kept
}

func (p *messagesPage) foot(later bool) string {
	const order = "the oldest first within each queue and state"
	switch {
	case len(p.Rows) == 0 && p.Next != "":
		return "None was found so far. The search goes on with Next."
	case later:
		return plural(len(p.Rows), "message") + " further on, " + order + "."
	case p.Next == "":
		return fmt.Sprintf("All %s, %s.", number(len(p.Rows)), order)
	case p.Total >= 0:
		return fmt.Sprintf("The first %d of %s, %s.", len(p.Rows), number(p.Total), order)
	}
	return fmt.Sprintf("The first %d, %s.", len(p.Rows), order)
}

// list asks for a page of messages, once for all who look at it.
func (v *visit) list(s selection.Selection, after broker.Cursor) sight[listing] {
	text := s.String()
	return see(v, v.looks.lists.get(text+"\n"+string(after), func(ctx context.Context) (listing, error) {
		return v.Dashboard.listing(ctx, s, after)
	}))
}

// listing collects a page of messages. It ends early if they are rare.
func (d *Dashboard) listing(ctx context.Context, s selection.Selection, after broker.Cursor) (listing, error) {
	var l listing
	began := time.Now()
	mask := d.operator.Mask(ctx)
	for {
		page, err := d.operator.Page(ctx, s, after, pageSize-len(l.rows))
		if err != nil {
			return l, err
		}
		for _, m := range page.Messages {
			l.rows = append(l.rows, rowOf(m, mask))
		}
		after = page.Next
		if after == "" || len(l.rows) == pageSize || time.Since(began) > searchPatience {
			l.next = after
			return l, nil
		}
	}
}

// terms are words that a selection may have, for those who type: of the tasks, the queues
// and the arguments that are known.
func (v *visit) terms() []string {
	terms := []string{"state:ready", "state:running", "state:delayed", "state:dead", "error~", "kind:error", "kind:panic", "kind:timeout", "kind:crash", "age>1h", "for<1h", "attempt>1", "id:"}
	for _, q := range see(v, v.looks.queues).value {
		terms = append(terms, term("queue", q.Queue))
	}
	tasks := v.looks.tasks.peek().value
	for _, t := range tasks {
		terms = append(terms, term("task", short(t.Name)))
		for _, line := range t.Spec.Fields {
			if path, _, ok := strings.Cut(line, " "); ok && !strings.ContainsAny(path, ".") {
				terms = append(terms, "args."+path+":")
			}
		}
	}
	slices.Sort(terms)
	return slices.Compact(terms)
}
