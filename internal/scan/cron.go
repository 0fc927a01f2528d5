package scan

import (
	"fmt"
	"go/token"
	"strings"
	"time"
	"unicode"

	"github.com/dtaskhq/dtask/internal/crontab"
)

const cronForm = "write five fields (minute hour day month weekday) or a macro such as @daily, after an optional CRON_TZ=Zone"

// cron reads the directive of a periodic task:
//
//	//dtask:cron [missed=once|skip] [CRON_TZ=Zone] schedule
func (p *packageScan) cron(t *Task, d *directive) {
	if len(t.Params) > 0 {
		p.report(t.Pos, CodeCron, "take what it needs from the receiver, or load it in the task",
			"%s is periodic, so nobody gives it arguments", t.describe())
	}
	schedule, at := d.args, d.argsPos
	if first, rest, _ := strings.Cut(schedule, " "); strings.Contains(first, "=") && !strings.Contains(first, "TZ=") {
		if !p.missed(t, first, at) {
			return
		}
		schedule = strings.TrimLeftFunc(rest, unicode.IsSpace)
		at += token.Pos(len(d.args) - len(schedule))
	}
	if message, hint := checkCron(schedule); message != "" {
		p.report(p.pos(at), CodeCron, hint, "%s", message)
	}
	t.Options.Cron = schedule
}

// missed reads the one option of a periodic task.
func (p *packageScan) missed(t *Task, option string, at token.Pos) bool {
	switch key, value, _ := strings.Cut(option, "="); {
	case key != "missed":
		p.report(p.pos(at), CodeOption, "the option of dtask:cron is missed=once or missed=skip", "unknown option %q", key)
		return false
	case value != "once" && value != "skip":
		p.report(p.pos(at+token.Pos(len("missed="))), CodeOption,
			"use once to make up for missed times by one run, or skip not to", "invalid missed %q", value)
		return false
	default:
		t.Options.SkipMissed = value == "skip"
		return true
	}
}

// checkCron returns what is wrong with a schedule and what to do, or "".
func checkCron(schedule string) (message, hint string) {
	spec := schedule
	if zoned, ok := strings.CutPrefix(schedule, "CRON_TZ="); ok {
		zone, rest, _ := strings.Cut(zoned, " ")
		const useIANA = "use a name of the IANA database such as Europe/Berlin"
		if _, err := time.LoadLocation(zone); err != nil || zone == "" {
			return fmt.Sprintf("time zone %q is unknown", zone), useIANA
		}
		if zone == "Local" {
			return "time zone Local is another one on another machine", useIANA
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
	case strings.Contains(spec, "missed="):
		return fmt.Sprintf("invalid schedule %q", schedule), "write missed= in front of it"
	}
	if _, err := crontab.Parse(schedule); err != nil {
		if message, remedy, ok := strings.Cut(err.Error(), "; "); ok {
			return message, remedy
		}
		return err.Error(), cronForm
	}
	return "", ""
}
