package sqlite

import (
	"context"
	"database/sql/driver"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

var _ broker.Keeper = (*Broker)(nil)

// Schedules implements [broker.Keeper].
func (b *Broker) Schedules(ctx context.Context) (all []broker.Ticked, err error) {
	err = b.read(ctx, func(c *conn) error {
		all = nil
		return c.query(func(row []driver.Value) error {
			all = append(all, broker.Ticked{Schedule: row[0].(string), Last: time.UnixMilli(row[1].(int64))})
			return nil
		}, "SELECT name, tick FROM dtask_schedules WHERE tick != 0 ORDER BY name")
	})
	return all, err
}

// countResults reads the fingerprint out of each value; one that has none, or is no
// JSON, counts as one without.
const countResults = `SELECT task, CASE WHEN json_valid(CAST(value AS TEXT)) AND json_type(CAST(value AS TEXT), '$.schema') = 'text'
	THEN json_extract(CAST(value AS TEXT), '$.schema') ELSE '' END AS schema, count(*)
FROM dtask_results WHERE expires > ? GROUP BY 1, 2 ORDER BY 1, 2`

// KeptResults implements [broker.Keeper].
func (b *Broker) KeptResults(ctx context.Context) (all []broker.ResultCount, err error) {
	err = b.readOn(ctx, &b.survey, func(c *conn) error {
		all = nil
		return c.query(func(row []driver.Value) error {
			all = append(all, broker.ResultCount{Task: row[0].(string), Schema: row[1].(string), Results: int(row[2].(int64))})
			return nil
		}, countResults, b.writer.clock.at(time.Now()).UnixMilli())
	})
	return all, err
}
