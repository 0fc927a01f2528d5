package dashboard

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// cronWords writes a schedule in words, or returns "" for one that has none: every Monday
// at 07:00.
func cronWords(cron string) string {
	fields := strings.Fields(cron)
	if len(fields) == 1 {
		return map[string]string{
			"@hourly": "every hour", "@daily": "every day at 00:00", "@midnight": "every day at 00:00", "@weekly": "every Sunday at 00:00",
			"@monthly": "at 00:00 on the 1st of a month", "@yearly": "at 00:00 on 1 January", "@annually": "at 00:00 on 1 January",
		}[fields[0]]
	}
	if len(fields) != 5 || fields[3] != "*" {
		return ""
	}
	minute, hour, day, weekday := fields[0], fields[1], fields[2], fields[4]
	if hour == "*" && day == "*" && weekday == "*" {
		return everyMinutes(minute)
	}
	m, errMinute := strconv.Atoi(minute)
	if every, ok := strings.CutPrefix(hour, "*/"); ok && errMinute == nil && day == "*" && weekday == "*" {
		return fmt.Sprintf("every %s hours at :%02d", every, m)
	}
	h, errHour := strconv.Atoi(hour)
	if errMinute != nil || errHour != nil {
		return ""
	}
	at := fmt.Sprintf("at %02d:%02d", h, m)
	switch {
	case day == "*" && weekday == "*":
		return "every day " + at
	case day == "*" && weekday == "1-5":
		return "every weekday " + at
	case day == "*":
		if n, err := strconv.Atoi(weekday); err == nil {
			return fmt.Sprintf("every %s %s", time.Weekday(n%7), at)
		}
		return ""
	case weekday == "*":
		if n, err := strconv.Atoi(day); err == nil {
			return fmt.Sprintf("%s on the %s of a month", at, ordinal(n))
		}
	}
	return ""
}

func everyMinutes(minute string) string {
	if minute == "*" {
		return "every minute"
	}
	if every, ok := strings.CutPrefix(minute, "*/"); ok {
		return "every " + every + " minutes"
	}
	if n, err := strconv.Atoi(minute); err == nil {
		return fmt.Sprintf("every hour at :%02d", n)
	}
	return ""
}

func ordinal(n int) string {
	switch {
	case n%10 == 1 && n != 11:
		return fmt.Sprintf("%dst", n)
	case n%10 == 2 && n != 12:
		return fmt.Sprintf("%dnd", n)
	case n%10 == 3 && n != 13:
		return fmt.Sprintf("%drd", n)
	}
	return fmt.Sprintf("%dth", n)
}

// cronZone returns the schedule without its zone, and the zone.
func cronZone(cron string) (string, *time.Location) {
	rest, ok := strings.CutPrefix(cron, "CRON_TZ=")
	if !ok {
		return cron, time.UTC
	}
	name, rest, _ := strings.Cut(rest, " ")
	zone, err := time.LoadLocation(name)
	if err != nil {
		return cron, time.UTC
	}
	return strings.TrimSpace(rest), zone
}

// zoneWord names a zone by its city.
func zoneWord(zone *time.Location) string {
	name := zone.String()
	return strings.ReplaceAll(name[strings.LastIndexByte(name, '/')+1:], "_", " ")
}
