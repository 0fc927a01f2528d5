package dashboard

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// The acts on messages that somebody has selected one by one. The form has their ids, and
// the page that they were on.

func (v *visit) retrySome() (string, string, error)  { return v.doSome(operate.Retry) }
func (v *visit) deleteSome() (string, string, error) { return v.doSome(operate.Delete) }

func (v *visit) moveSome() (said, to string, err error) {
	queue := v.r.PostForm.Get("queue")
	if err := broker.ValidateQueue(queue); err != nil {
		return "", v.back(), err
	}
	return v.doSome(operate.Move(queue))
}

// cancelSome cancels by ids alone: not every broker can look a message up.
func (v *visit) cancelSome() (said, to string, err error) {
	ids := v.r.PostForm["id"]
	if len(ids) == 0 {
		return "", v.back(), errNoneSelected
	}
	all, err := v.operator.CancelIDs(v.ctx(), ids...)
	n := make(map[broker.Cancellation]int)
	for _, what := range all {
		n[what]++
	}
	said = plural(n[broker.CancelDone], "message") + " cancelled."
	if k := n[broker.CancelAsked]; k > 0 {
		said += fmt.Sprintf(" %s told to end, where it runs.", wereOrWas(k))
	}
	if k := n[broker.CancelNothing]; k > 0 {
		said += fmt.Sprintf(" %s nothing to cancel: done, dead, or gone.", wereOrWas(k))
	}
	return said, v.back(), err
}

// cancelRunning is cancelSome on the page of workers.
func (v *visit) cancelRunning() (said, to string, err error) {
	said, _, err = v.cancelSome()
	return said, "workers", err
}

func wereOrWas(n int) string {
	if n == 1 {
		return "1 was"
	}
	return number(n) + " were"
}

// errNoneSelected: the form has no ids.
var errNoneSelected = errors.New("no message is selected")

func (v *visit) doSome(a operate.Action) (said, to string, err error) {
	ids := v.r.PostForm["id"]
	if len(ids) == 0 {
		return "", v.back(), errNoneSelected
	}
	plan, err := v.operator.PlanIDs(v.ctx(), ids, a)
	if err != nil {
		return "", v.back(), err
	}
	done, err := plan.Do(v.ctx(), operate.Pace{})
	said = fmt.Sprintf("%s %s.", plural(done.Changed, "message"), a.Done)
	if left := len(ids) - done.Changed; left > 0 {
		said += fmt.Sprintf(" %s not: it runs, is due already, or has moved on.", wereOrWas(left))
	}
	return said, v.back(), err
}

// back returns the page that the form was on.
func (v *visit) back() string {
	page := v.r.PostForm.Get("page")
	if page != "dead" {
		page = "messages"
	}
	given, err := url.ParseQuery(v.r.PostForm.Get("query"))
	if err != nil {
		return page
	}
	kept := url.Values{}
	for _, name := range []string{"q", "s", "after"} {
		if given.Get(name) != "" {
			kept.Set(name, given.Get(name))
		}
	}
	if len(kept) == 0 {
		return page
	}
	return page + "?" + kept.Encode()
}
