// Package auto gives the worker programs that import it the dashboard: their flag
// -dashboard then serves it.
//
//	import _ "github.com/dtaskhq/dtask/runtime/dashboard/auto"
//
// It is an import of its own because it makes a program some 3 megabytes larger, which a
// worker without pages need not be.
//
// The dashboard has a connection of its own to the broker, and lives where the health
// probes do: in the supervisor, if there is one.
package auto

import (
	"context"
	"sync"

	"github.com/dtaskhq/dtask/runtime/dashboard"
	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/worker"
)

func init() {
	worker.Extend(worker.Extension{Name: worker.DashboardExtension, Start: start})
}

// start begins to serve the dashboard.
func start(p worker.Process) (*worker.Extended, error) {
	if p.Dashboard == "" || p.Child {
		return nil, nil
	}
	server, err := dashboard.Listen(p.Dashboard, dashboard.Config{Token: p.DashboardToken, Logger: p.Log, Enqueue: p.Enqueue}, p.Log)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		err := server.Serve(ctx, func(ctx context.Context) (*dtask.Client, error) {
			return dtask.Open(ctx, p.URL, dtask.WithLogger(p.Log))
		}, p.Tables...)
		if err != nil {
			p.Log.Error("the dashboard is no longer served", "err", err)
		}
	})
	return &worker.Extended{Close: func(context.Context) error {
		stop()
		serving.Wait()
		return nil
	}}, nil
}
