package postgres

import (
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	"github.com/dtaskhq/dtask/runtime/brokertest"
)

func TestMain(m *testing.M) { brokertest.Main(m) }

func TestConformance(t *testing.T) {
	brokertest.Run(t, func(t *testing.T) string { return postgrestest.URL(t) })
}
