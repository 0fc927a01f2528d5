package dashboard

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dashboard/internal/form"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// The acts on one message, which are on its page.

func (v *visit) retryOne() (string, string, error)  { return v.doOne(operate.Retry) }
func (v *visit) deleteOne() (string, string, error) { return v.doOne(operate.Delete) }

func (v *visit) moveOne() (said, to string, err error) {
	queue := v.r.PostForm.Get("queue")
	if err := broker.ValidateQueue(queue); err != nil {
		return "", messagePath(v.r.PathValue("id")), err
	}
	return v.doOne(operate.Move(queue))
}

// errMoved: an act could not be done to the message any more.
var errMoved = errors.New("nothing was changed: the message runs, is due already, or has moved on")

func (v *visit) doOne(a operate.Action) (said, to string, err error) {
	id := v.r.PathValue("id")
	to = messagePath(id)
	plan, err := v.operator.PlanIDs(v.ctx(), []string{id}, a)
	if err != nil {
		return "", to, err
	}
	done, err := plan.Do(v.ctx(), operate.Pace{})
	if err == nil && done.Changed == 0 {
		err = errMoved
	}
	return "The message was " + a.Done + ".", to, err
}

func (v *visit) cancelOne() (said, to string, err error) {
	id := v.r.PathValue("id")
	all, err := v.operator.CancelIDs(v.ctx(), id)
	switch {
	case err != nil:
	case all[0] == broker.CancelDone:
		said = "The message was cancelled."
	case all[0] == broker.CancelAsked:
		said = "Whoever holds the message is told to end it, and it does not run again."
	default:
		err = errors.New("there was nothing to cancel: the message is done, dead, or gone")
	}
	return said, messagePath(id), err
}

// edit takes the form with the arguments.
func (d *Dashboard) edit(w http.ResponseWriter, r *http.Request) {
	v, ok := d.allowed(w, r, Edit)
	if !ok {
		return
	}
	id, retry := r.PathValue("id"), r.PostForm.Has("retry")
	if retry && !v.access.Has(Retry) {
		v.refuse(w, Retry)
		return
	}
	m, err := v.operator.Message(v.ctx(), id)
	switch {
	case err == nil && m.State == broker.StateRunning:
		err = errors.New("nothing was saved: the message runs")
	case err == nil && r.PostForm.Get("was") != fingerprint(m.Message.Body):
		err = fmt.Errorf("nothing was saved: %w", broker.ErrChanged)
	}
	if err != nil {
		v.tell(w, "", messagePath(id), err)
		return
	}
	draft := v.operator.Mask(v.ctx()).Draft(m.Message)
	text, wrong, again := []byte(r.PostForm.Get("arguments")), map[string]string(nil), false
	if s, known := v.schemaOf(m.Message); known && !r.PostForm.Has("arguments") {
		text, wrong, again = form.Read(s, draft.Text, draft.Mark, r.PostForm)
	}
	if !again && len(wrong) == 0 {
		if err = v.save(m, draft, text); err == nil || errors.Is(err, operate.ErrUnchanged) && retry {
			v.saved(w, err, retry)
			return
		}
	}
	p := v.messagePage(m)
	p.Secret = draft.Mark != ""
	if p.show(v, m, text, draft.Mark, wrong); err != nil {
		p.Wrong = sentence(err)
	}
	status := http.StatusOK
	if !again {
		status = http.StatusUnprocessableEntity
	}
	v.render(w, status, "message", short(m.Message.Task), p)
}

func (v *visit) save(m broker.Stored, draft *operate.Draft, text []byte) error {
	arguments, err := draft.Arguments(text)
	if err != nil {
		return err
	}
	return v.operator.Edit(v.ctx(), m, arguments)
}

// saved tells that the arguments were saved, and retries the message if that was wanted.
func (v *visit) saved(w http.ResponseWriter, unchanged error, retry bool) {
	said, to, err := "The arguments were saved.", messagePath(v.r.PathValue("id")), error(nil)
	if retry {
		var did string
		did, to, err = v.retryOne()
		switch {
		case err != nil && unchanged == nil:
			err = fmt.Errorf("the arguments were saved, but the message was not retried: %w", err)
		case unchanged != nil:
			said = did + " Its arguments are what they were."
		default:
			said = "The arguments were saved, and the message was retried."
		}
	}
	v.tell(w, said, to, err)
}
