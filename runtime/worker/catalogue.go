package worker

import (
	"context"

	"github.com/dtaskhq/dtask/internal/schema"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// enterTasks enters the tasks of the program into the catalogue of the broker, once. It
// is called again and again until that has succeeded.
func (a *announcer) enterTasks(ctx context.Context) {
	if a.catalogue == nil {
		return
	}
	if err := a.catalogue.Catalogue(ctx, a.tasks); err != nil {
		if ctx.Err() == nil {
			a.log.Debug("the broker does not know the tasks of this process", "err", err)
		}
		return
	}
	a.catalogue = nil
}

// catalogueTasks returns the tasks of a table for the catalogue.
func catalogueTasks(table dtask.Table) (list []broker.CatalogueTask) {
	for _, t := range table {
		list = append(list, broker.CatalogueTask{
			Name: t.Name, Schema: t.Spec.Schema, Shape: shapeOf(t.Spec), Queue: t.Spec.Queue,
			Priority: t.Spec.Priority, Attempts: t.Spec.Retries + 1, Keep: t.Spec.Keep,
		})
	}
	return list
}

// shapeOf returns the shape of a task's arguments, or nil if it is not known: the
// fingerprint says whether the fields are all.
func shapeOf(spec dtask.Spec) []byte {
	s, err := schema.Parse(spec.Fields)
	if err != nil || s.Fingerprint() != spec.Schema {
		return nil
	}
	return s.Shape()
}
