//go:build !unix

package brokers

import "time"

// cpuTime is not known here.
func cpuTime() time.Duration { return 0 }
