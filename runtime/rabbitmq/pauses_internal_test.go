package rabbitmq

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
)

// A link that cannot be opened pauses between its attempts, longer and longer:
// without that many clients are a storm. After an error that somebody has to mend
// it is half a minute.
func TestLinkPauses(t *testing.T) {
	t.Parallel()
	config, err := parseURL(rabbittest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	first := func(_ *testing.T, l *link) { l.start(context.Background()) }
	again := func(t *testing.T, l *link) {
		_, lost := fakeSession(t)
		lost.End(errors.New("lost"))
		l.keep(lost)
	}
	const attempts = 10
	for _, c := range []struct {
		name        string
		open        func(*testing.T, *link)
		err         error
		least, most time.Duration // of all attempts
	}{
		{"first", first, errors.New("no"), time.Second, 3 * time.Minute},
		{"again", again, errors.New("no"), time.Second, 3 * time.Minute},
		{"again, to be mended", again, permanent(errors.New("no")), 4 * time.Minute, 8 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The handshakes are with a real server. The clock stands still
			// meanwhile, and only the pauses count.
			synctest.Test(t, func(t *testing.T) {
				n := 0
				var l *link
				l = newLink(config, newHosts(config.hosts), slog.Default(), "testing", func(context.Context, *session) error {
					if n++; n == attempts {
						l.cancel()
					}
					return c.err
				})
				start := time.Now()
				c.open(t, l)
				if took := time.Since(start); n != attempts || took < c.least || took > c.most {
					t.Errorf("%d attempts took %v, want from %v to %v", n, took, c.least, c.most)
				}
			})
		})
	}
}
