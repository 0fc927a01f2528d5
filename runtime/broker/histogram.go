package broker

import (
	"encoding/json"
	"errors"
	"math/bits"
	"time"
)

// Buckets is how many buckets a [Histogram] has. The first one is for durations below
// a millisecond, each of the next ones for those below twice as much as the one
// before, and the last one for all else, which is more than an hour and ten minutes.
const Buckets = 24

// A Histogram counts durations. Its zero value is empty.
type Histogram struct {
	Counts [Buckets]int64
	Total  time.Duration // of all durations together
}

// BucketBelow returns the bound below which the durations of a bucket are. Of the last
// one it is no bound, but twice the one before.
func BucketBelow(bucket int) time.Duration { return time.Millisecond << bucket }

// Add counts a duration. One below zero, by clocks that differ, counts as zero.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	h.Counts[min(bits.Len64(uint64(d/time.Millisecond)), Buckets-1)]++
	h.Total += d
}

func (h *Histogram) add(other *Histogram) {
	for i, n := range other.Counts {
		h.Counts[i] += n
	}
	h.Total += other.Total
}

// Minus returns what the histogram has that another one, of a part of the same
// durations, has not.
func (h Histogram) Minus(part Histogram) Histogram {
	for i, n := range part.Counts {
		h.Counts[i] -= n
	}
	h.Total -= part.Total
	return h
}

// Count returns how many durations there are.
func (h Histogram) Count() (n int64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Mean returns the mean duration, or 0 if there is none.
func (h Histogram) Mean() time.Duration {
	if n := h.Count(); n > 0 {
		return h.Total / time.Duration(n)
	}
	return 0
}

// Below returns a duration below which a share of them lies, such as 0.95, or 0 if
// there is none. It is the bound of a bucket.
func (h Histogram) Below(share float64) time.Duration {
	want := share * float64(h.Count())
	if want <= 0 {
		return 0
	}
	seen := int64(0)
	for i, n := range h.Counts {
		if seen += n; float64(seen) >= want {
			return BucketBelow(i)
		}
	}
	return BucketBelow(Buckets - 1)
}

// MarshalJSON writes the total in nanoseconds, and then each bucket that is not empty,
// with its count.
func (h Histogram) MarshalJSON() ([]byte, error) {
	list := []int64{int64(h.Total)}
	for i, n := range h.Counts {
		if n != 0 {
			list = append(list, int64(i), n)
		}
	}
	return json.Marshal(list)
}

// UnmarshalJSON reads what MarshalJSON has written.
func (h *Histogram) UnmarshalJSON(text []byte) error {
	var list []int64
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	*h = Histogram{}
	if len(list)%2 != 1 {
		return errors.New("a histogram is a total and pairs of numbers")
	}
	h.Total = time.Duration(list[0])
	for i := 1; i < len(list); i += 2 {
		if list[i] < 0 || list[i] >= Buckets {
			return errors.New("a histogram has an unknown bucket")
		}
		h.Counts[list[i]] += list[i+1]
	}
	return nil
}
