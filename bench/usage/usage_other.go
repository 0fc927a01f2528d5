//go:build !unix

// Package usage reports the processor time and memory that processes use.
package usage

import (
	"os"
	"time"
)

// CPU returns 0: it is not known on this system.
func CPU() time.Duration { return 0 }

// Peak returns 0: it is not known on this system.
func Peak(*os.ProcessState) int64 { return 0 }
