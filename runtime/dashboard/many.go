package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// An action is what can be done to all messages that match.
type action struct {
	Word  string // on its button
	Would string // what becomes of the messages
	needs Acts
	grave bool
	do    func(queue string) operate.Action
}

var actions = map[string]action{
	"retry":  {"Retry", "would run again", Retry, false, func(string) operate.Action { return operate.Retry }},
	"cancel": {"Cancel", "would be cancelled", Cancel, true, func(string) operate.Action { return operate.Cancel }},
	"delete": {"Delete", "would be gone for good", Delete, true, func(string) operate.Action { return operate.Delete }},
	"move":   {"Move", "would go to queue", Move, false, operate.Move},
}

// manyPage shows what an action would change.
type manyPage struct {
	Verdict, Rest string
	On            string // what was selected
	Plan          string // its name
	Messages      int
	Word          string
	Grave, Type   bool // whether the number is to be typed
	Lines         []manyLine
	Back          string
	More          bool
}

// A manyLine is some of the messages, and what becomes of them.
type manyLine struct {
	Messages int
	Says     string
	Dim      bool
}

const (
	// typeAbove is how many messages need their number typed.
	typeAbove = 100

	maxManyLines = 8
)

// many counts what an action on all that match would change.
func (d *Dashboard) many(w http.ResponseWriter, r *http.Request) {
	did := r.PostFormValue("do")
	a, known := actions[did]
	if !known {
		a.needs = Everything
	}
	v, ok := d.allowed(w, r, a.needs)
	if !ok {
		return
	}
	queue := r.PostForm.Get("queue")
	s, err := v.chosen()
	if err == nil && !known {
		err = errors.New("the form is not as a page sends it")
	}
	if err == nil && did == "move" {
		err = broker.ValidateQueue(queue)
	}
	var plan *operate.Plan
	if err == nil {
		plan, err = v.operator.Plan(v.ctx(), s, a.do(queue))
	}
	if err != nil {
		v.tell(w, "", v.back(), err)
		return
	}
	v.render(w, http.StatusOK, "many", a.Word+" many", v.manyPage(plan, s, did, queue))
}

func (v *visit) manyPage(plan *operate.Plan, s selection.Selection, did, queue string) manyPage {
	a := actions[did]
	p := manyPage{
		Messages: plan.Messages, Word: a.Word, Grave: a.grave, Type: plan.Messages > typeAbove, Back: v.back(), More: plan.More, On: s.String(),
		Plan: v.plans.put(pending{plan, did, v.back(), v.now}),
	}
	p.Verdict = fmt.Sprintf("%s %s.", plural(plan.Messages, "message"), strings.TrimSpace(a.Would+" "+queue))
	p.Rest = "Nothing was changed yet. What is confirmed here is what was counted, and nothing that comes later."
	if plan.Messages == 0 {
		p.Verdict, p.Rest = "Nothing would be changed.", "No message of the selection is in a state in which this can be done."
	}
	kinds := slices.Clone(plan.Kinds)
	slices.SortStableFunc(kinds, func(a, b operate.Kind) int { return b.Messages - a.Messages })
	rest := 0
	for i, k := range kinds {
		if i >= maxManyLines {
			rest += k.Messages
			continue
		}
		p.Lines = append(p.Lines, manyLine{k.Messages, fmt.Sprintf("%s, %s in %s", short(k.Task), stateWords[k.State], k.Queue), false})
	}
	if rest > 0 {
		p.Lines = append(p.Lines, manyLine{rest, "others", true})
	}
	if did == "retry" {
		p.Lines = append(p.Lines, v.handedBack(s)...)
	}
	return p
}

// handedBack are those of the messages to retry that no running build has as its own.
func (v *visit) handedBack(s selection.Selection) []manyLine {
	workers := see(v, v.looks.workers)
	counts, err := v.operator.Counts(v.ctx(), s)
	if err != nil || !workers.known() {
		return nil
	}
	n := 0
	for _, c := range counts {
		if task, version := has(workers.value, c.Task, c.Schema); (c.State == broker.StateDead || c.State == broker.StateDelayed) && !version && (c.Schema != "" || !task) {
			n += c.Messages
		}
	}
	if n == 0 {
		return nil
	}
	return []manyLine{{n, "of them no running worker has with this schema: they are converted if a build knows how, or handed back", true}}
}

// start begins to carry out a plan that somebody has confirmed.
func (d *Dashboard) start(w http.ResponseWriter, r *http.Request) {
	v, ok := d.allowed(w, r, Nothing)
	if !ok {
		return
	}
	typed := strings.NewReplacer(",", "", " ", "").Replace(r.PostForm.Get("typed"))
	rate, rateErr := strconv.ParseFloat(cmpOr(r.PostForm.Get("rate"), "0"), 64)
	var refused error
	p, found := v.plans.take(r.PostForm.Get("plan"), func(p pending) bool {
		switch {
		case !v.access.Has(actions[p.did].needs):
			refused = errNoAccess
		case p.plan.Messages > typeAbove && typed != strconv.Itoa(p.plan.Messages):
			refused = fmt.Errorf("nothing was changed: the number to type is %s", number(p.plan.Messages))
		case rateErr != nil || rate < 0:
			refused = fmt.Errorf("nothing was changed: %.20q is no number of messages a second", r.PostForm.Get("rate"))
		}
		return refused == nil
	})
	switch {
	case !found:
		v.tell(w, "", "dead", errors.New("nothing was changed: what was counted is no longer kept; select it again"))
	case errors.Is(refused, errNoAccess):
		v.refuse(w, actions[p.did].needs)
	case refused != nil:
		v.tell(w, "", p.back, refused)
	default:
		_, err := v.operations.Start(v.ctx(), p.plan, rate)
		v.tell(w, fmt.Sprintf("%s are being %s.", plural(p.plan.Messages, "message"), p.plan.Did()), p.back, err)
	}
}

func cmpOr(s, other string) string {
	if strings.TrimSpace(s) == "" {
		return other
	}
	return strings.TrimSpace(s)
}
