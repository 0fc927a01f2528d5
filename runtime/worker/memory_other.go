//go:build !linux

package worker

import "runtime/metrics"

// memory returns the memory, in bytes, that the Go runtime has got from the
// system and not given back.
func memory() int64 {
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}
