package crontab

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestNext(t *testing.T) {
	for _, c := range []struct {
		name, spec, from string
		want             string // of the next times, month-day hour:minute in the zone
	}{
		{"utc", "0 3 * * *", "2024-05-01T03:00:00Z", "05-02 03:00 UTC, 05-03 03:00 UTC"},
		{"between minutes", "* * * * *", "2024-05-01T03:00:30.5Z", "05-01 03:01 UTC, 05-01 03:02 UTC"},
		{"macro", "@weekly", "2024-05-01T00:00:00Z", "05-05 00:00 UTC, 05-12 00:00 UTC"},
		{"zone and macro", "CRON_TZ=Asia/Kolkata @daily", "2024-05-01T00:00:00Z", "05-02 00:00 IST, 05-03 00:00 IST"},
		{"day of month or weekday", "0 0 13 * fri", "2024-09-01T00:00:00Z", "09-06 00:00 UTC, 09-13 00:00 UTC, 09-20 00:00 UTC"},
		{"leap day", "0 0 29 2 *", "2096-03-01T00:00:00Z", "02-29 00:00 UTC"},

		// The clock skips an hour.
		{"skipped time", "CRON_TZ=America/New_York 30 2 * * *", "2024-03-09T12:00:00Z", "03-10 03:00 EDT, 03-11 02:30 EDT"},
		{"skipped times are due once", "CRON_TZ=America/New_York */20 2 * * *", "2024-03-10T05:00:00Z", "03-10 03:00 EDT, 03-11 02:00 EDT"},
		{"every hour over the gap", "CRON_TZ=America/New_York 30 * * * *", "2024-03-10T05:59:00Z", "03-10 01:30 EST, 03-10 03:30 EDT"},
		{"every hour at the change", "CRON_TZ=America/New_York 0 * * * *", "2024-03-10T06:00:00Z", "03-10 03:00 EDT, 03-10 04:00 EDT"},
		{"midnight skipped", "CRON_TZ=America/Sao_Paulo @daily", "2018-11-03T12:00:00Z", "11-04 01:00 -02, 11-05 00:00 -02"},
		{"midnight skipped, month end", "CRON_TZ=Asia/Beirut 0 0 * * *", "2024-03-30T12:00:00Z", "03-31 01:00 EEST, 04-01 00:00 EEST"},
		{"half an hour skipped", "CRON_TZ=Australia/Lord_Howe 15 2 * * *", "2024-10-05T00:00:00Z", "10-06 02:30 +11, 10-07 02:15 +11"},
		{"every hour over half an hour", "CRON_TZ=Australia/Lord_Howe 15 * * * *", "2024-10-05T14:50:00Z", "10-06 03:15 +11, 10-06 04:15 +11"},
		{"a day skipped", "CRON_TZ=Pacific/Apia 0 12 * * *", "2011-12-29T21:00:00Z", "12-29 12:00 -10, 12-31 00:00 +14, 12-31 12:00 +14"},

		// An hour comes twice.
		{"doubled time", "CRON_TZ=America/New_York 30 1 * * *", "2024-11-02T12:00:00Z", "11-03 01:30 EDT, 11-04 01:30 EST"},
		{"doubled times", "CRON_TZ=America/New_York */30 1 * * *", "2024-11-03T04:00:00Z", "11-03 01:00 EDT, 11-03 01:30 EDT, 11-04 01:00 EST"},
		{"within the second of two", "CRON_TZ=America/New_York 30 1 * * *", "2024-11-03T06:10:00Z", "11-04 01:30 EST"},
		{"every hour twice", "CRON_TZ=America/New_York 30 * * * *", "2024-11-03T05:00:00Z", "11-03 01:30 EDT, 11-03 01:30 EST, 11-03 02:30 EST"},
		{"every minute", "CRON_TZ=America/New_York * * * * *", "2024-11-03T05:59:00Z", "11-03 01:00 EST, 11-03 01:01 EST"},
		{"half an hour twice", "CRON_TZ=Australia/Lord_Howe 45 1 * * *", "2024-04-06T00:00:00Z", "04-07 01:45 +11, 04-08 01:45 +1030"},
		{"after the doubled hour", "CRON_TZ=Europe/Berlin 0 3 * * *", "2024-10-26T12:00:00Z", "10-27 03:00 CET, 10-28 03:00 CET"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Parse(c.spec)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339Nano, c.from)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for range strings.Count(c.want, ",") + 1 {
				at = s.Next(at)
				got = append(got, at.In(s.zone).Format("01-02 15:04 MST"))
			}
			if got := strings.Join(got, ", "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// Over years with all their clock changes, each time of a schedule is later than
// the one before, and a daily schedule is due once on every day.
func TestEveryDayOnce(t *testing.T) {
	for _, zone := range []string{"America/New_York", "America/Sao_Paulo", "Asia/Beirut", "Australia/Lord_Howe", "Africa/Cairo", "Europe/Dublin", "America/St_Johns"} {
		for _, hour := range []int{0, 1, 2, 3, 23} {
			spec := fmt.Sprintf("CRON_TZ=%s 30 %d * * *", zone, hour)
			s, err := Parse(spec)
			if err != nil {
				t.Fatal(err)
			}
			at := time.Date(2007, 12, 31, 23, 45, 0, 0, s.zone)
			for day := at; day.Year() < 2026; {
				day = time.Date(day.Year(), day.Month(), day.Day()+1, 12, 0, 0, 0, s.zone)
				next := s.Next(at).In(s.zone)
				if !next.After(at) || next.YearDay() != day.YearDay() {
					t.Fatalf("%s: after %v comes %v, want it on %v", spec, at, next, day)
				}
				at = next
			}
		}
	}
}

func TestParseErrors(t *testing.T) {
	for spec, want := range map[string]string{
		"":                         "empty",
		"* * * *":                  "expected exactly 5 fields",
		"* * * * * *":              "expected exactly 5 fields",
		"60 * * * *":               "above maximum (59)",
		"@every 1m":                "has no fixed times",
		"@reboot":                  "unrecognized",
		"0 0 30 2 *":               "never comes",
		"CRON_TZ=Mars/Base @daily": "unknown time zone",
	} {
		_, err := Parse(spec)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("Parse(%q): error %v, want one line with %q", spec, err, want)
		}
	}
	if s, err := ParseSeconds("*/2 * * * * *"); err != nil || s.Next(time.Unix(1, 0)).Unix() != 2 {
		t.Errorf("ParseSeconds: %v, %v", s, err)
	}
}
