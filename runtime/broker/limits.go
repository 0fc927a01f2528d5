package broker

import "github.com/dtaskhq/dtask/internal/limit"

// Bounds on what a message may hold.
const (
	MaxBodySize  = 1 << 20  // bytes of Body
	MaxFailures  = 10       // the newest ones are kept
	MaxErrorSize = 1 << 10  // bytes of Failure.Error
	MaxStackSize = 8 << 10  // bytes of Failure.Stack; only the newest failure keeps one
	MaxLogSize   = 64 << 10 // bytes of Failure.Log, of all failures of a message together
	MaxIDSize    = 100      // bytes of ID
	MaxQueueName = limit.MaxQueueName
	MaxTaskName  = limit.MaxTaskName
)
