package dashboard

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/runtime/operate"
)

// gone returns the title and the text of the page of a message that there is not, or not
// any more: what was done to it here is in the history.
func (v *visit) gone(id string, err error) (title, text string) {
	const kept = "A message that is done, cancelled or deleted is kept no more; what was done is counted in the journal. "
	for _, a := range slices.Backward(v.acts(1).value) {
		if a.Error != "" || a.Changed == 0 || !slices.Contains(strings.Split(strings.TrimPrefix(a.On, "id:"), ","), id) {
			continue
		}
		who := fmt.Sprintf("%s by %s at %s UTC", a.Did, a.User, a.Began.UTC().Format("15:04:05"))
		switch {
		case a.Did == operate.Delete.Done, a.Did == operate.Cancel.Done:
			return "This message is gone", "It was " + who + "."
		case a.Did == operate.Retry.Done && !v.operator.Holds():
			return "This message is gone", "It was " + who + ", and is no dead letter and does not wait: it is done, unless somebody has deleted it since."
		case a.Did == operate.Retry.Done:
			return "This message is no dead letter", "It was " + who + ": it waits, runs or is done, which this broker does not tell of one message."
		}
	}
	return "No such message", kept + sentence(err) + "."
}
