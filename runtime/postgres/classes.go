package postgres

import (
	"fmt"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// The classes of waiting messages. A claim knows for each when it has something next,
// and asks only those that have.
const (
	high = iota
	normal
	low
	quarantine // to be run alone, see quarantine.go
	classes
)

func classOf(p broker.Priority) int {
	switch {
	case p > broker.PriorityDefault:
		return high
	case p < broker.PriorityDefault:
		return low
	}
	return normal
}

// cycle is the order in which classes are picked: of ten messages six are high, three
// normal and one low, where there are such.
var cycle = [...]int{high, normal, high, high, low, high, normal, high, high, normal}

// waits is the condition of the messages of a class in a queue, the first argument.
// It spells out what the indexes are for.
var waits = [classes]string{
	high:       waitsWith(broker.PriorityHigh),
	normal:     waitsWith(broker.PriorityDefault),
	low:        waitsWith(broker.PriorityLow),
	quarantine: "state = 0 AND quarantine > 0 AND queue = $1",
}

func waitsWith(p broker.Priority) string {
	return fmt.Sprintf("state = 0 AND quarantine = 0 AND queue = $1 AND priority = %d", p)
}

// claimOf claims messages of a class: queue, owner, limit, and the floor but for those in
// quarantine → messages. What others are just claiming is skipped. Rows are found again by
// their place in the table, where they stay while they are locked.
var claimOf = func() (list [classes]string) {
	for class, where := range waits {
		if class < quarantine {
			where += " AND due >= $4"
		}
		list[class] = "UPDATE dtask_messages SET state = 1, owner = $2, claim = claim + 1 WHERE ctid = ANY (ARRAY(" +
			"SELECT ctid FROM dtask_messages WHERE " + where + " AND due <= statement_timestamp()" +
			" AND EXISTS (SELECT FROM dtask_consumers WHERE id = $2)" +
			" AND NOT " + queuePaused +
			" ORDER BY due, seq LIMIT $3 FOR UPDATE SKIP LOCKED)) RETURNING " + claimedColumns
	}
	return list
}()

var claimedColumns = "seq, claim, crashes, quarantine, " + allNames

// selectNext selects the time of the database, and when each class of a queue has its next
// message: queue, floors.
var selectNext = func() string {
	sql := "SELECT statement_timestamp()"
	for class, where := range waits {
		if class < quarantine {
			where += fmt.Sprintf(" AND due >= $%d", class+2)
		}
		sql += ", (SELECT due FROM dtask_messages WHERE " + where + " ORDER BY due, seq LIMIT 1)"
	}
	return sql
}()
