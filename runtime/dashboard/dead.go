package dashboard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/operate"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// maxGrouped is how many dead letters are looked at for their groups.
const maxGrouped = 100_000

// deadPage is what the page of dead letters shows.
type deadPage struct {
	Verdict, Rest string
	Find          found
	Query         string
	OneByOne      string // the query of the page of messages
	Groups        []groupRow
	Total         int
	Grouping      bool // there is no answer yet
	Foot          string
	Terms         []string
	Operations    []operationRow
	Sort          sorting
}

// A groupRow is dead letters that died of the same.
type groupRow struct {
	operate.Group
	Fault string
	Query string // that finds its messages
	Share bar
	First string
	Last  string
}

// deadLetters selects all of them.
var deadLetters = func() selection.Selection {
	s, err := selection.Parse("state:dead")
	if err != nil {
		panic(err) // impossible: it is well formed
	}
	return s
}()

// onlyDead returns the dead letters of a selection.
func onlyDead(s selection.Selection) selection.Selection {
	return deadLetters.And(s.Without("state"))
}

func (v *visit) dead() (any, error) {
	p := deadPage{Find: v.find(), Operations: v.operationRows(), Terms: v.terms(), Sort: v.sorting("-dead")}
	if p.Find.Error != "" {
		p.Verdict = "This is no selection."
		return p, nil
	}
	s := onlyDead(p.Find.s)
	p.Query, p.OneByOne = v.query(p.Find.s.String()), v.query(s.String())
	seen := see(v, v.looks.groups.get(s.String(), func(ctx context.Context) (operate.Groups, error) {
		return v.operator.Groups(ctx, s, maxGrouped)
	}))
	switch {
	case !seen.known() && seen.unsupported():
		return nil, seen.err
	case !seen.known() && seen.err != nil:
		p.Verdict = "The dead letters could not be listed."
		p.Find.wrong(seen.err)
		return p, nil
	case !seen.known():
		p.Grouping, p.Verdict, p.Rest = true, "The dead letters are being grouped.", "This takes a while where there are many; the page shows them then."
		return p, nil
	}
	p.groups(v, seen.value)
	p.Verdict, p.Rest = p.says(p.Find.s, seen.value)
	looked := plural(p.Total, "dead letter") + " was looked at"
	if p.Total != 1 {
		looked = "All " + plural(p.Total, "dead letter") + " were looked at"
	}
	p.Foot = fmt.Sprintf("%s, as of %s UTC.", looked, seen.at.UTC().Format("15:04:05"))
	if seen.value.More {
		p.Foot = fmt.Sprintf("The first %s were looked at, and there are more. An act on all that match means those too.", plural(p.Total, "dead letter"))
	}
	return p, nil
}

// groups makes the rows.
func (p *deadPage) groups(v *visit, found operate.Groups) {
	p.Total = found.Messages
	for _, g := range found.Groups {
		text := g.Selection()
		row := groupRow{Group: g, Query: v.query(text), Share: newBar("act", g.Messages, found.Messages), First: "not known", Last: "not known"}
		row.Error = withoutKind(g.Kind, g.Error)
		if s, err := selection.Parse(text); err == nil {
			row.Fault = s.Of("fault")
		}
		if !g.Newest.IsZero() {
			row.First, row.Last = v.when(g.Oldest), v.when(g.Newest)
		}
		p.Groups = append(p.Groups, row)
	}
	sortRows(p.Sort, p.Groups, groupColumns)
}

// groupColumns: the newest first is from the most to the least.
var groupColumns = map[string]func(a, b *groupRow) int{
	"dead":   func(a, b *groupRow) int { return cmp.Compare(a.Messages, b.Messages) },
	"first":  func(a, b *groupRow) int { return a.Oldest.Compare(b.Oldest) },
	"newest": func(a, b *groupRow) int { return a.Newest.Compare(b.Newest) },
}

// when writes a moment as its age, or as the day if that is long ago.
func (v *visit) when(t time.Time) string {
	if d := v.now.Sub(t); d < 24*time.Hour {
		return ago(d)
	}
	return t.UTC().Format("2 Jan")
}

func (p *deadPage) says(s selection.Selection, found operate.Groups) (string, string) {
	n := number(found.Messages)
	if found.More {
		n = "≥ " + n
	}
	switch {
	case found.Messages == 0 && s.All():
		return "There is no dead letter.", "What fails for good would wait here for somebody."
	case found.Messages == 0:
		return "Nothing matches.", "No dead letter is as the selection says."
	case len(found.Groups) == 1 && found.Others == 0:
		return n + " in one group.", "One fault, of " + short(found.Groups[0].Task) + "."
	}
	rest := ""
	if first := found.Groups[0]; first.Messages*2 > found.Messages {
		rest = fmt.Sprintf("%s are one fault, of %s.", share(first.Messages, found.Messages), short(first.Task))
	}
	if found.Others > 0 {
		rest += fmt.Sprintf(" %s are in smaller groups that are not told apart.", number(found.Others))
	}
	return fmt.Sprintf("%s in %s groups.", n, number(len(found.Groups))), rest
}

// share writes a large part of something: 9 of 10.
func share(part, all int) string {
	if all <= 10 {
		return fmt.Sprintf("%d of %d", part, all)
	}
	return fmt.Sprintf("%d of 10", min(max((10*part+all/2)/all, 1), 9+part/all))
}

// chosen returns what a form for many messages means: the groups that are ticked, or all
// that its page shows.
func (v *visit) chosen() (selection.Selection, error) {
	form := v.r.PostForm
	query, err := url.ParseQuery(form.Get("query"))
	if err != nil {
		return selection.Selection{}, errors.New("the form is not as a page sends it")
	}
	text := query.Get("q")
	if sealed := query.Get("s"); sealed != "" {
		var ok bool
		if text, ok = v.seal.open(sealed); !ok {
			return selection.Selection{}, errSealed
		}
	}
	s, err := selection.Parse(text)
	if err != nil || form.Get("page") != "dead" {
		return s, err
	}
	s = onlyDead(s)
	if form.Get("which") == "all" {
		return s, nil
	}
	faults := form["fault"]
	if len(faults) == 0 {
		return s, errors.New("no group is selected")
	}
	some, err := selection.Parse(term("fault", strings.Join(faults, ",")))
	return s.And(some), err
}
