package brokertest_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	"github.com/dtaskhq/dtask/runtime/sqlite"
)

// A broker with no capability passes: the tests of those it lacks are left out.
func TestBareBroker(t *testing.T) {
	broker.Register("bare", func(ctx context.Context, url string, c broker.Config) (broker.Broker, error) {
		b, err := sqlite.Open(ctx, "sqlite:"+strings.TrimPrefix(url, "bare:"), c)
		return struct{ broker.Broker }{b}, err
	})
	brokertest.Run(t, func(t *testing.T) string { return "bare:" + filepath.Join(t.TempDir(), "tasks.db") })
}
