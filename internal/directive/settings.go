package directive

import (
	"fmt"
	"strings"

	"github.com/dtaskhq/dtask/internal/diagnostic"
)

// A Setting is an option with the value that it has for a task.
type Setting struct {
	*Option
	Value any
}

// Settings are all options of a directive, in the order of the table.
type Settings []Setting

// Get returns the value of an option, or nil if it has none.
func (s Settings) Get(key string) any {
	for _, setting := range s {
		if setting.Key == key {
			return setting.Value
		}
	}
	return nil
}

// Settings returns what the options of a directive say, or by default. It reports
// all that is wrong with them.
func (d Directive) Settings(r diagnostic.Reporter) Settings {
	args, err := parseArguments(d.Args, d.ArgsPos)
	if err != nil {
		r.ReportAt(err.pos, diagnostic.Option, err.hint, "%s", err.message)
	}
	return settings(r, d.Name, args)
}

// settings returns the settings that arguments make of a directive.
func settings(r diagnostic.Reporter, directive string, args []argument) Settings {
	values := make(map[string]any)
	seen := make(map[string]bool)
	for _, a := range args {
		if seen[a.key] {
			r.ReportAt(a.pos, diagnostic.Option, "state it once", "option %s is repeated", a.key)
			continue
		}
		seen[a.key] = true
		o := optionOf(directive, a.key)
		if o == nil {
			message, hint := unknownOption(directive, a.key)
			r.ReportAt(a.pos, diagnostic.Option, hint, "%s", message)
			continue
		}
		value, remedy := o.parse(a.value)
		if remedy != "" {
			if separator := strings.IndexAny(a.value, ",;"); separator >= 0 {
				remedy = fmt.Sprintf("options are separated by spaces: no %q", a.value[separator])
			}
			r.ReportAt(a.valuePos, diagnostic.Option, remedy, "invalid %s %q", a.key, a.value)
			continue
		}
		values[a.key] = value
	}
	var all Settings
	for _, o := range Options {
		if o.Directive != directive {
			continue
		}
		value, stated := values[o.Key]
		if !stated && o.Default != "" {
			value, _ = o.parse(o.Default)
		}
		all = append(all, Setting{o, value})
	}
	return all
}

func unknownOption(directive, key string) (message, hint string) {
	if key == Cron {
		return "the schedule is not an option", "write a line //dtask:cron SCHEDULE"
	}
	hint = "the options are " + strings.Join(keys(directive), ", ")
	if near := nearest(strings.ToLower(key), keys(directive)); near != "" {
		hint = fmt.Sprintf("did you mean %s?", near)
	}
	return fmt.Sprintf("unknown option %q", key), hint
}
