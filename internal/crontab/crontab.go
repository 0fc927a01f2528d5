// Package crontab reads the schedules of periodic tasks, and says when they
// are due.
//
// A schedule has five fields (minute, hour, day of month, month, weekday) or is
// a macro such as @daily. It goes by the clock of UTC, or of the zone that
// CRON_TZ= in front of it names. If both the day of month and the weekday are
// restricted, it is enough that one of them matches, as POSIX says of crontab.
//
// When the clock of the zone is changed, a schedule is due as in Vixie cron:
//
//   - with a restricted hour, it follows the clock on the wall: a time that the
//     change skips is due at the change, and a time that comes twice is due the
//     first time only;
//   - with every hour (*), it follows elapsed time: it is due in every hour that
//     passes, and so twice when an hour comes twice.
package crontab

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // CRON_TZ must work in containers and on Windows

	cron "github.com/netresearch/go-cron"
)

// A Schedule is a set of times.
type Schedule struct {
	// spec is evaluated on a calendar without clock changes, for which UTC
	// stands in: the library loses days on which midnight does not exist.
	spec      *cron.SpecSchedule
	zone      *time.Location
	everyHour bool
}

// searchYears spans the leap years that are furthest apart, around 2100.
const searchYears = 9

var (
	fields = cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor | cron.DowOrDom
	five   = cron.MustNewParser(fields).WithMaxSearchYears(searchYears)
	six    = cron.MustNewParser(fields | cron.Second).WithMaxSearchYears(searchYears)
)

// Parse reads a schedule.
func Parse(text string) (Schedule, error) { return parse(five, text) }

// ParseSeconds reads a schedule with a field of seconds before the other five.
// It serves tests that cannot wait for minutes.
func ParseSeconds(text string) (Schedule, error) { return parse(six, text) }

func parse(p cron.Parser, text string) (Schedule, error) {
	s, err := p.Parse(text)
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		return Schedule{}, fmt.Errorf("schedule %q: %s", text, reason)
	}
	spec, ok := s.(*cron.SpecSchedule)
	if !ok {
		return Schedule{}, fmt.Errorf("schedule %q has no fixed times; write five fields, such as */5 * * * *", text)
	}
	zone := time.UTC
	if strings.Contains(text, "TZ=") {
		zone = spec.Location
	}
	spec.Location = time.UTC
	const allHours = 1<<24 - 1
	schedule := Schedule{spec, zone, spec.Hour&allHours == allHours}
	if spec.Next(time.Now()).IsZero() {
		return Schedule{}, errors.New("schedule \"" + text + "\" never comes; choose a day that exists")
	}
	return schedule, nil
}

// Next returns the first time after t at which s is due, in UTC.
func (s Schedule) Next(t time.Time) time.Time {
	if s.everyHour {
		return s.nextElapsed(t)
	}
	for wall := wallClock(t.In(s.zone)); ; {
		wall = s.spec.Next(wall)
		if due := instant(wall, s.zone); due.After(t) {
			return due.UTC()
		}
	}
}

// nextElapsed evaluates s with the offset of the zone at t, and if the clock is
// changed before s is due, from the change on with the next offset.
func (s Schedule) nextElapsed(t time.Time) time.Time {
	for {
		_, change := t.In(s.zone).ZoneBounds()
		_, offset := t.In(s.zone).Zone()
		shift := time.Duration(offset) * time.Second
		due := s.spec.Next(t.UTC().Add(shift)).Add(-shift)
		if change.IsZero() || due.Before(change) {
			return due
		}
		if _, offset := change.Zone(); s.matches(change.UTC().Add(time.Duration(offset) * time.Second)) {
			return change.UTC()
		}
		t = change
	}
}

// matches reports whether s is due at t on the calendar of spec.
func (s Schedule) matches(t time.Time) bool { return s.spec.Next(t.Add(-time.Second)).Equal(t) }

// wallClock returns what the clock shows at t, as a time of UTC.
func wallClock(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// instant returns when the clock of the zone first shows wall, or, if a change
// skips it, the change.
func instant(wall time.Time, zone *time.Location) time.Time {
	// A day before and after is more than any offset, and two changes are further
	// apart than that.
	before, after := wall.Add(-24*time.Hour).In(zone), wall.Add(24*time.Hour).In(zone)
	for _, side := range []time.Time{before, after} {
		_, offset := side.Zone()
		t := wall.Add(-time.Duration(offset) * time.Second).In(zone)
		if wallClock(t).Equal(wall) {
			return t
		}
	}
	_, change := before.ZoneBounds()
	return change
}
