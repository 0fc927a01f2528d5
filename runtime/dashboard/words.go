package dashboard

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// number writes a whole number: 12,431. One below zero is not known.
func number[T int | int64](n T) string {
	if n < 0 {
		return "not known"
	}
	digits := strconv.FormatInt(int64(n), 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// plural writes a number of things: 1 worker, 14 workers.
func plural[T int | int64](n T, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + one + "s"
}

// percent writes a share: 3.9 %.
func percent(part, all int64) string {
	switch share := 100 * float64(part) / float64(max(all, 1)); {
	case share == 0:
		return "0 %"
	case share < 0.1:
		return "< 0.1 %"
	case share < 10:
		return fmt.Sprintf("%.1f %%", share)
	case share < 99.5 || part == all:
		return fmt.Sprintf("%.0f %%", share)
	default:
		return fmt.Sprintf("%.1f %%", math.Floor(share*10)/10)
	}
}

// took writes how long something lasted: 84 ms, 1.9 s, 1 min 40 s.
func took(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", math.Floor(d.Seconds()*10)/10)
	}
	return units(d, 2)
}

// ago writes how old something is: 0.1 s, 12 s, 14 min, 2 d 4 h.
func ago(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", math.Floor(d.Seconds()*10)/10)
	case d < 48*time.Hour || d >= 14*24*time.Hour:
		return units(d, 1)
	}
	return units(d, 2)
}

// units writes a time by its largest units, at most n of them that follow each other.
func units(d time.Duration, n int) string {
	var parts []string
	for _, u := range []struct {
		long time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if u.long == 24*time.Hour && d < 48*time.Hour {
			continue // people say 36 h
		}
		k := d / u.long
		d -= k * u.long
		if k > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", k, u.name))
		}
		if len(parts) > 0 {
			if n--; n == 0 {
				break
			}
		}
	}
	return strings.Join(parts, " ")
}

// exact writes a moment as it stands behind a relative one.
func exact(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000 UTC") }

// clock writes a moment of this day, or another one.
func clock(t, now time.Time) string {
	t, now = t.UTC(), now.UTC()
	switch {
	case t.YearDay() == now.YearDay() && t.Year() == now.Year():
		return t.Format("15:04")
	case t.Year() == now.Year():
		return t.Format("2 Jan, 15:04")
	}
	return t.Format("2 Jan 2006")
}

// short returns the name of a task without the path of its package.
func short(task string) string { return task[strings.LastIndexByte(task, '/')+1:] }

// tail returns the end of an id: the ids of one moment begin alike.
func tail(id string) string {
	const digits = 12
	if len(id) <= digits {
		return id
	}
	return "…" + id[len(id)-digits:]
}

// listed writes names in a sentence: mail, images and push.
func listed(names []string) string {
	const most = 3
	switch n := len(names); {
	case n == 0:
		return ""
	case n == 1:
		return names[0]
	case n > most:
		return fmt.Sprintf("%s and %d others", strings.Join(names[:most-1], ", "), n-most+1)
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// words are the small numbers of a sentence.
var words = []string{"Nothing", "One thing", "Two things", "Three things", "Four things", "Five things"}
