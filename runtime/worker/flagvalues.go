package worker

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// queueList is the value of -queues: queue → concurrency, 0 for the default.
type queueList map[string]int

func (l queueList) String() string {
	var parts []string
	for _, q := range slices.Sorted(maps.Keys(l)) {
		if l[q] > 0 {
			q += "=" + strconv.Itoa(l[q])
		}
		parts = append(parts, q)
	}
	return strings.Join(parts, ",")
}

func (l *queueList) Set(s string) error {
	list := make(queueList)
	for part := range strings.SplitSeq(s, ",") {
		queue, number, counted := strings.Cut(strings.TrimSpace(part), "=")
		n := 0
		if counted {
			var err error
			if n, err = strconv.Atoi(number); err != nil || n < 1 {
				return fmt.Errorf("queue %s has concurrency %s; use 1 or more", quoted(queue), quotedPart(part, number))
			}
		}
		if queue == "" {
			return errors.New("a queue has no name; write mail=20,images=4")
		}
		if _, twice := list[queue]; twice {
			return fmt.Errorf("queue %q is named twice", queue)
		}
		list[queue] = n
	}
	*l = list
	return nil
}

// onOff is the value of a flag that is on or off.
type onOff bool

func (o onOff) String() string {
	if o {
		return "on"
	}
	return "off"
}

func (o *onOff) Set(s string) error {
	switch s {
	case "on":
		*o = true
	case "off":
		*o = false
	default:
		return errors.New("use on or off")
	}
	return nil
}

// byteSize is a number of bytes, written with a unit.
type byteSize int64

var byteUnits = []struct {
	suffix string
	factor float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1}}

func (b byteSize) String() string {
	switch {
	case b >= 1<<30:
		return fmt.Sprintf("%.4gGiB", float64(b)/(1<<30))
	case b >= 1<<20:
		return fmt.Sprintf("%.4gMiB", float64(b)/(1<<20))
	}
	return strconv.FormatInt(int64(b), 10)
}

func (b *byteSize) Set(s string) error {
	number, factor := s, 1.0
	for _, u := range byteUnits {
		if n, ok := strings.CutSuffix(s, u.suffix); ok {
			number, factor = n, u.factor
			break
		}
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || n < 0 || n*factor >= 1<<63 {
		return errors.New("use a size such as 512MiB or 2GiB")
	}
	*b = byteSize(n * factor)
	return nil
}
