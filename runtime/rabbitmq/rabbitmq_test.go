package rabbitmq_test

import (
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/rabbittest"
	"github.com/dtaskhq/dtask/runtime/brokertest"
	_ "github.com/dtaskhq/dtask/runtime/rabbitmq"
)

func TestMain(m *testing.M) { brokertest.Main(m) }

func TestConformance(t *testing.T) {
	brokertest.Run(t, func(t *testing.T) string { return rabbittest.URL(t) })
}
