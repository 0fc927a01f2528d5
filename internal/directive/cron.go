package directive

import (
	"fmt"
	"go/token"
	"strings"
	"time"
	"unicode"

	"github.com/dtaskhq/dtask/internal/crontab"
	"github.com/dtaskhq/dtask/internal/diagnostic"
)

const cronForm = "write five fields (minute hour day month weekday) or a macro such as @daily, after an optional CRON_TZ=Zone"

// Schedule returns what a directive //dtask:cron says, and reports what is wrong
// with it:
//
//	//dtask:cron [key=value …] [CRON_TZ=Zone] schedule
func (d Directive) Schedule(r diagnostic.Reporter) (schedule string, _ Settings) {
	var args []argument
	schedule, pos := d.Args, d.ArgsPos
	for beginsWithOption(schedule) {
		a, rest, err := parseArgument(schedule, pos)
		if err != nil {
			r.ReportAt(err.pos, diagnostic.Option, err.hint, "%s", err.message)
			return "", nil
		}
		args = append(args, a)
		rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
		pos += token.Pos(len(schedule) - len(rest))
		schedule = rest
	}
	failures := r.Len()
	s := settings(r, d.Name, args)
	if r.Len() > failures {
		return "", nil
	}
	if message, hint := checkSchedule(schedule); message != "" {
		r.ReportAt(pos, diagnostic.Cron, hint, "%s", message)
	}
	return schedule, s
}

// beginsWithOption reports whether a line begins with key=value, and not with
// the time zone of a schedule.
func beginsWithOption(line string) bool {
	word, _, _ := strings.Cut(line, " ")
	return strings.Contains(word, "=") && !strings.Contains(word, "TZ=")
}

// checkSchedule returns what is wrong with a schedule and what to do, or "".
func checkSchedule(schedule string) (message, hint string) {
	spec := schedule
	if zoned, ok := strings.CutPrefix(schedule, "CRON_TZ="); ok {
		zone, rest, _ := strings.Cut(zoned, " ")
		const useIANA = "use a name of the IANA database such as Europe/Berlin"
		if _, err := time.LoadLocation(zone); err != nil || zone == "" {
			return fmt.Sprintf("time zone %q is unknown", zone), useIANA
		}
		if zone == "Local" {
			return "time zone Local differs from machine to machine", useIANA
		}
		spec = strings.TrimSpace(rest)
	}
	switch {
	case spec == "":
		return "dtask:cron has no schedule", cronForm
	case strings.HasPrefix(spec, "TZ="):
		return fmt.Sprintf("invalid schedule %q", schedule), "write the time zone as CRON_TZ=Zone"
	case strings.ContainsAny(spec, "\"'`"):
		return fmt.Sprintf("invalid schedule %q", schedule), "write it without quotes"
	}
	for _, key := range keys(Cron) {
		if strings.Contains(spec, key+"=") {
			return fmt.Sprintf("invalid schedule %q", schedule), fmt.Sprintf("write %s= in front of it", key)
		}
	}
	if _, err := crontab.Parse(schedule); err != nil {
		if message, remedy, ok := strings.Cut(err.Error(), "; "); ok {
			return message, remedy
		}
		return err.Error(), cronForm
	}
	return "", ""
}
