package dashboard

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Pages that are open for an hour ask one question, and the less often, the
// longer it takes; one that takes too long is asked half of the time at most.
func TestLookRests(t *testing.T) {
	away := errors.New("the broker is away")
	for name, c := range map[string]struct {
		took        time.Duration
		err         error
		dear        bool
		least, most int // questions
	}{
		"quick":                   {took: 10 * time.Millisecond, least: 1700, most: 1800},
		"a second":                {took: time.Second, least: 320, most: 330},
		"slow":                    {took: 4 * time.Second, least: 145, most: 152},
		"of many messages":        {took: 30 * time.Second, dear: true, least: 17, most: 18},
		"of few messages":         {took: 10 * time.Millisecond, dear: true, least: 1700, most: 1800},
		"never answered":          {took: time.Hour, least: 355, most: 361},
		"of too many messages":    {took: time.Hour, dear: true, least: 30, most: 31},
		"refused at once":         {err: away, least: 1700, most: 1800},
		"refused after some time": {took: time.Second, err: away, least: 700, most: 725},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithCancel(context.Background())
				d := &Dashboard{ctx: ctx}
				asked := 0
				ask := func(ctx context.Context) (int, error) {
					asked++
					select {
					case <-time.After(c.took):
						return asked, c.err
					case <-ctx.Done():
						return 0, ctx.Err()
					}
				}
				l := newLook(d, 2*time.Second, ask)
				if c.dear {
					l = newDearLook(d, 2*time.Second, ask)
				}
				for end := time.Now().Add(time.Hour); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
					for range 3 {
						l.peek()
					}
				}
				end()
				synctest.Wait()
				if asked < c.least || asked > c.most {
					t.Errorf("asked %d times in an hour, want %d to %d", asked, c.least, c.most)
				}
			})
		})
	}
}
