package dashboard

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// reveal shows the secrets of a message, which is kept in the journal.
func (v *visit) reveal() (any, error) {
	m, err := v.operator.Message(v.ctx(), v.r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	mask, err := v.operator.Reveal(v.ctx(), m.Message.ID)
	if err != nil {
		return nil, err
	}
	p := v.messagePage(m)
	p.Revealed = true
	v.fill(&p, m, mask)
	return p, nil
}

// messageJSON shows a message as it is, but for its secrets.
func (d *Dashboard) messageJSON(w http.ResponseWriter, r *http.Request) {
	v, err := d.newVisit(w, r)
	if err != nil {
		return
	}
	v.patient()
	m, err := v.stored(r.PathValue("id"))
	if err != nil {
		v.fail(w, statusOf(err), "Message", sentence(err))
		return
	}
	body := json.RawMessage(v.operator.Mask(v.ctx()).Body(m.Message))
	if !json.Valid(body) {
		body, _ = json.Marshal(string(body)) // a string can be written
	}
	masked := *m.Message
	masked.Body = nil
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.Encode(struct { // fails only if the browser has gone
		State     broker.State    `json:"state"`
		At        time.Time       `json:"at"`
		Message   broker.Message  `json:"message"`
		Arguments json.RawMessage `json:"arguments"`
	}{m.State, m.At, masked, body})
}
