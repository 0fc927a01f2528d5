package printable

import (
	"fmt"
	"time"
)

// Short returns a time in one unit, as people say it.
func Short(d time.Duration) string {
	d = d.Abs()
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// Since returns how long ago something was, or in how long it will be.
func Since(t time.Time) string {
	switch d := time.Since(t); {
	case t.IsZero():
		return "-"
	case d < 0:
		return "in " + Short(d)
	default:
		return Short(d)
	}
}
