package worker

import (
	// The brokers of this module: one variable, DTASK_URL, chooses.
	_ "github.com/dtaskhq/dtask/runtime/rabbitmq"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
)
