package worker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// Whatever upcasters do, preflight goes on.
func TestTryDecode(t *testing.T) {
	type oldArgs struct {
		Do string `json:"do"`
	}
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		task := dtask.Define[greetArgs, dtask.None]("mail.Greet", dtask.Spec{Schema: "v2", Earlier: []dtask.Earlier{{Schema: "v1", Upcast: dtask.Upcast(func(old oldArgs) (greetArgs, error) {
			switch old.Do {
			case "panic":
				panic("ouch")
			case "loop":
				<-release
			case "fail":
				return greetArgs{}, errors.New("no")
			}
			return greetArgs{}, nil
		})}}}).Bind(func(context.Context, greetArgs) (dtask.None, error) { return dtask.None{}, nil })
		for do, want := range map[string]string{"well": "", "panic": "converting its arguments panics: ouch", "loop": "takes longer than 10s", "fail": "converting them failed: no"} {
			err := tryDecode(t.Context(), task, &broker.Message{Task: "mail.Greet", Schema: "v1", Body: []byte(`{"do":"` + do + `"}`)})
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", do, err, want)
			}
		}
		close(release)
		synctest.Wait()
	})
}
