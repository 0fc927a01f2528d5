package scan

import (
	"fmt"
	"strings"
	"time"

	cron "github.com/netresearch/go-cron"
)

// cronParser reads what the worker reads: five fields, or a macro.
var cronParser = cron.MustNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// checkCron returns what is wrong with a schedule and what to do, or "".
func checkCron(expr string) (message, hint string) {
	const form = "write five fields (minute hour day month weekday) or a macro such as @daily, after an optional CRON_TZ=Zone"
	spec := expr
	if zoned, ok := strings.CutPrefix(expr, "CRON_TZ="); ok {
		zone, after, _ := strings.Cut(zoned, " ")
		if _, err := time.LoadLocation(zone); err != nil || zone == "" {
			return fmt.Sprintf("time zone %q is unknown", zone), "use a name of the IANA database such as Europe/Berlin"
		}
		spec = strings.TrimSpace(after)
	}
	switch {
	case spec == "":
		return "dtask:cron has no schedule", form
	case strings.HasPrefix(spec, "TZ="):
		return fmt.Sprintf("schedule %q", expr), "write the time zone as CRON_TZ=Zone"
	case strings.HasPrefix(spec, "@every"), strings.HasPrefix(spec, "@reboot"):
		macro, _, _ := strings.Cut(spec, " ")
		return fmt.Sprintf("schedule %q: %s has no fixed times", expr, macro), "use five fields, such as */5 * * * * for every five minutes"
	case strings.ContainsAny(spec, "\"'`"):
		return fmt.Sprintf("schedule %q", expr), "write it without quotes"
	}
	schedule, err := cronParser.Parse(expr)
	if err != nil {
		reason, _, _ := strings.Cut(err.Error(), "\n")
		return fmt.Sprintf("schedule %q: %s", expr, reason), form
	}
	if schedule.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return fmt.Sprintf("schedule %q never comes", expr), "choose a day that exists"
	}
	return "", ""
}
