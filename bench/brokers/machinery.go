package brokers

import (
	"context"
	"errors"
	"io"
	"log"

	"github.com/RichardKnop/machinery/v2"
	"github.com/RichardKnop/machinery/v2/backends/null"
	machineryamqp "github.com/RichardKnop/machinery/v2/brokers/amqp"
	"github.com/RichardKnop/machinery/v2/config"
	"github.com/RichardKnop/machinery/v2/locks/eager"
	machinerylog "github.com/RichardKnop/machinery/v2/log"
	"github.com/RichardKnop/machinery/v2/tasks"
)

// machinerySystem is machinery with the settings it is fastest with: a
// prefetch of 100, and no results.
type machinerySystem struct {
	server *machinery.Server
	worker *machinery.Worker
	broker *machineryamqp.Broker
	ended  chan error
}

func openMachinery(_ context.Context, s setup) (system, error) {
	machinerylog.Set(log.New(io.Discard, "", 0))
	cnf := &config.Config{
		Broker:       s.place,
		DefaultQueue: "machinery",
		AMQP: &config.AMQPConfig{
			Exchange:         "machinery",
			ExchangeType:     "direct",
			BindingKey:       "machinery",
			PrefetchCount:    100,
			QueueDeclareArgs: config.QueueDeclareArgs{"x-queue-type": "quorum"},
		},
		NoUnixSignals: true,
	}
	broker := machineryamqp.New(cnf)
	m := &machinerySystem{server: machinery.NewServer(cnf, broker, null.New(), eager.New()), ended: make(chan error, 1)}
	m.broker = broker.(*machineryamqp.Broker)
	m.worker = m.server.NewWorker("bench", s.concurrency)
	return m, m.server.RegisterTask("task", func(name string, n int64) error {
		s.handle(task{name, n})
		return nil
	})
}

func (m *machinerySystem) enqueue(ctx context.Context, t task) error {
	_, err := m.server.SendTaskWithContext(ctx, &tasks.Signature{
		Name: "task",
		Args: []tasks.Arg{{Type: "string", Value: t.Name}, {Type: "int64", Value: t.N}},
	})
	return err
}

func (m *machinerySystem) start(context.Context) error {
	m.worker.LaunchAsync(m.ended)
	return nil
}

func (m *machinerySystem) stop(context.Context) error {
	m.worker.Quit()
	return errors.Join(m.broker.CloseConnections())
}
