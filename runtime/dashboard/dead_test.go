package dashboard_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var (
	faultOf = regexp.MustCompile(`name="fault" value="([^"]+)" aria-label="Select ([^"]+)"`)
	planOf  = regexp.MustCompile(`name="plan" value="([^"]+)"`)
)

// Dead letters stand in groups by what they died of, and a group, or all that match, is
// changed after a count, in the background.
func TestDead(t *testing.T) {
	t.Parallel()
	w := onSQLite(t)
	w.want("dead", "There is no dead letter.", "No dead letter.")
	w.serve(shop)
	w.serve(studio)
	for i := range 120 {
		w.send(fmt.Sprintf("u%d@exmaple.com", i))
	}
	heic := w.thumbnail("beach.heic")
	w.want("messages?q=task:pictures.*", "1 matches.", "retried")
	w.post(200, "message/"+heic+"/retry")
	page := w.want("dead", "121 in 2 groups.", "9 of 10 are one fault, of mail.Send.", "550 5.1.1 < … >: Recipient address rejected: Domain not found error in mail.Send 120",
		"index out of range [ … ] with length … panic in pictures.Thumbnail 1", "All 121 dead letters were looked at")
	fault := make(map[string]string)
	for _, m := range faultOf.FindAllStringSubmatch(page, -1) {
		fault[m[2]] = m[1]
	}
	w.want("dead?q=queue:images", "1 in one group.", "of pictures.Thumbnail")
	w.want("messages?q=state:dead+fault:"+fault["pictures.Thumbnail, panic"], "1 matches.")

	w.says(w.post(200, "many", "page", "dead", "do", "retry", "which", "some"), "no group is selected")
	w.says(w.post(200, "many", "page", "dead", "do", "retry", "which", "all"), "121 messages would run again.", "Nothing was changed yet.", "120 mail.Send, dead in mail", "1 pictures.Thumbnail, dead in images", "Type 121 to confirm")

	page = w.post(200, "many", "page", "dead", "do", "retry", "which", "some", "fault", fault["mail.Send, error"])
	w.says(page, "120 messages would run again.", "Type 120 to confirm")
	plan := planOf.FindStringSubmatch(page)[1]
	late := w.send("late@exmaple.com") // it was not counted
	w.state("mail", func(s broker.QueueState) bool { return s.Dead == 121 })
	w.says(w.post(200, "many/start", "plan", plan, "typed", "12"), "nothing was changed: the number to type is 120")
	w.says(w.post(200, "many/start", "plan", plan, "typed", "120", "rate", "fast"), "nothing was changed")
	w.says(w.post(200, "many/start", "plan", plan, "typed", "120", "rate", "2"), "120 messages are being retried.", "Retried 120 of", "Begun by ana.", "Hold", "Stop")
	w.says(w.post(200, "many/start", "plan", plan, "typed", "120"), "no longer kept")
	page = w.get(200, "dead")
	op := regexp.MustCompile(`operations/([^/"]+)/hold`).FindStringSubmatch(page)[1]
	w.says(w.post(200, "operations/"+op+"/hold", "page", "dead"), "It is held")
	w.want("dead", "held: held by ana", "Go on")
	w.says(w.post(200, "operations/"+op+"/go-on", "page", "dead"), "It goes on.")
	w.says(w.post(200, "operations/"+op+"/stop", "page", "messages"), "It is stopped.")
	w.want("dead", "stopped: stopped by ana")

	page = w.post(200, "many", "page", "dead", "do", "delete", "which", "all", "query", "q=task%3Amail.Send")
	w.says(page, "messages would be gone for good.")
	number := strings.ReplaceAll(regexp.MustCompile(`Type ([\d,]+) to confirm`).FindStringSubmatch(seen(page))[1], ",", "")
	w.post(200, "many/start", "plan", planOf.FindStringSubmatch(page)[1], "typed", number)
	w.state("mail", func(s broker.QueueState) bool { return s.Dead <= 1 }) // some may just run again
	w.want("dead", "Deleted", "it took")
	w.want("messages?q=id:"+late, "Nothing matches.")

	page = w.post(200, "many", "page", "messages", "do", "delete", "query", "q=task%3Apictures.*")
	w.says(page, "1 message would be gone for good.")
	w.post(200, "many/start", "plan", planOf.FindStringSubmatch(page)[1])
	w.want("messages?q=queue:images", "Nothing matches.")

	acts, err := w.operator().Acts(w.ctx(), time.Now().Add(-time.Hour))
	if err != nil || len(acts) != 4 {
		t.Errorf("kept: %+v, %v", acts, err)
	}
}
