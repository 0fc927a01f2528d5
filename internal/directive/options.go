package directive

import "github.com/dtaskhq/dtask/internal/limit"

// An Option is a key=value that a directive takes.
type Option struct {
	Directive string
	Key       string
	Field     string // of dtask.Spec, or empty if the option is not part of it
	Default   string // what holds if the option is left out, or empty for no value

	// parse returns the value that a text stands for. If it stands for none,
	// remedy says what to write.
	parse func(text string) (value any, remedy string)
}

// Secret is the key of the parameters that are not shown to people.
const Secret = "secret"

// Options are the options of all directives. Those of one directive are in the
// order of the fields of dtask.Spec.
var Options = []*Option{
	{Task, "name", "", "", text(limit.Task)},
	{Task, "was", "", "", text(limit.Task)},
	{Task, Secret, "", "", parameters},
	{Task, "queue", "Queue", "default", text(limit.Queue)},
	{Task, "retries", "Retries", "5", number(limit.MaxRetries)},
	{Task, "timeout", "Timeout", "20m", orNone(duration(0, "use a duration such as 30s or 5m, or none"))},
	{Task, "backoff", "Backoff", "1s", duration(limit.MaxBackoff, "use a duration such as 500ms or 10s")},
	{Task, "priority", "Priority", "default", choice("use low, default or high", priorities)},
	{Task, "keep", "Keep", "0", duration(0, "use a duration such as 10m or 24h")},
	{Cron, "missed", "SkipMissed", "once", choice("use once to make up for all missed times by one run, or skip to leave them out", missed)},
}

var priorities = []Choice{{"low", Constant("PriorityLow")}, {"default", nil}, {"high", Constant("PriorityHigh")}}

var missed = []Choice{{"once", false}, {"skip", true}}

// optionOf returns the option of a directive with a key, or nil.
func optionOf(directive, key string) *Option {
	for _, o := range Options {
		if o.Directive == directive && o.Key == key {
			return o
		}
	}
	return nil
}

// keys returns the keys of the options of a directive.
func keys(directive string) []string {
	var list []string
	for _, o := range Options {
		if o.Directive == directive {
			list = append(list, o.Key)
		}
	}
	return list
}
