package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/runtime/operate"
)

// An operationRow is an operation that goes on, or has ended of late.
type operationRow struct {
	operate.Operation
	Verb  string // Retrying
	Share bar
	Says  string
	Ended bool
	May   bool
}

// keepEnded is how long an operation that has ended is shown.
const keepEnded = 2 * time.Minute

// operationRows are those that pages show.
func (v *visit) operationRows() (list []operationRow) {
	for _, op := range v.operations.All() {
		if op.State.Ended() && v.now.Sub(op.Ended) > keepEnded {
			continue
		}
		row := operationRow{Operation: op, Ended: op.State.Ended(), Share: newBar("accent", op.Messages-op.Left, op.Messages), May: v.access.Has(needsOf(op.Did))}
		row.Verb = strings.ToUpper(op.Did[:1]) + op.Did[1:]
		row.Says = operationSays(op)
		list = append(list, row)
	}
	return list
}

// operationSays tells how far an operation has come.
func operationSays(op operate.Operation) string {
	parts := []string{number(op.Changed) + " done"}
	if op.Skipped > 0 {
		parts = append(parts, number(op.Skipped)+" had moved on")
	}
	switch op.State {
	case operate.OperationRunning:
		parts = append(parts, number(op.Left)+" to go")
		if op.Rate >= 1 {
			parts = append(parts, fmt.Sprintf("%s a second, %s left", number(int(op.Rate)), ago(time.Duration(float64(op.Left)/op.Rate)*time.Second)))
		}
	case operate.OperationHeld, operate.OperationStopped:
		parts = append(parts, number(op.Left)+" left as they are", string(op.State)+": "+op.Reason)
	case operate.OperationDone:
		parts = append(parts, "it took "+took(op.Ended.Sub(op.Began)))
	}
	return strings.Join(parts, ", ") + ". Begun by " + op.User + "."
}

// needsOf returns which act is needed to steer an operation: the one that it does.
func needsOf(did string) Acts {
	for _, a := range actions {
		if strings.HasPrefix(did, strings.Fields(a.do("x").Done)[0]) {
			return a.needs
		}
	}
	return Everything
}

// steerOperation holds an operation, has it go on, or stops it.
func (d *Dashboard) steerOperation(w http.ResponseWriter, r *http.Request) {
	v, ok := d.allowed(w, r, Nothing)
	if !ok {
		return
	}
	id := r.PathValue("id")
	op, err := v.operations.Get(id)
	if err == nil && !v.access.Has(needsOf(op.Did)) {
		v.refuse(w, needsOf(op.Did))
		return
	}
	said := ""
	if err == nil {
		switch r.PathValue("what") {
		case "hold":
			said, err = "It is held, and goes on when somebody says so.", v.operations.Hold(v.ctx(), id)
		case "go-on":
			said, err = "It goes on.", v.operations.GoOn(id)
		case "stop":
			said, err = "It is stopped. What was not changed stays as it is.", v.operations.Stop(v.ctx(), id)
		default:
			err = errors.New("the form is not as a page sends it")
		}
	}
	v.tell(w, said, v.back(), err)
}
