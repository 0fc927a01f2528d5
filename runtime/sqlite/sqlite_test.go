package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/dtaskhq/dtask/runtime/brokertest"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
)

func TestMain(m *testing.M) { brokertest.Main(m) }

func TestConformance(t *testing.T) {
	brokertest.Run(t, func(t *testing.T) string {
		return "sqlite:" + filepath.Join(t.TempDir(), "tasks.db")
	})
}
