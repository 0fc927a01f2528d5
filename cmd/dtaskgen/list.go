package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dtaskhq/dtask/internal/directive"
	"github.com/dtaskhq/dtask/internal/scan"
)

// columns are the options that the list for people shows.
var columns = []string{"queue", "retries", "timeout", "backoff", "priority"}

// tasks prints a table of the tasks, or a JSON object for each.
func (p *printer) tasks(pkgs []*scan.Package) error {
	if p.json {
		for _, pkg := range pkgs {
			for _, t := range pkg.Tasks {
				p.object(p.taskJSON(pkg, t))
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "TASK\t%s\tCRON\tPOSITION\n", strings.ToUpper(strings.Join(columns, "\t")))
	for _, pkg := range pkgs {
		for _, t := range pkg.Tasks {
			fmt.Fprintf(w, "%s\t", t.Name)
			for _, key := range columns {
				fmt.Fprintf(w, "%s\t", cell(t.Options.Get(key)))
			}
			cron := "-"
			if t.Cron != nil {
				cron = t.Cron.Schedule
			}
			fmt.Fprintf(w, "%s\t%s\n", cron, p.position(t.Pos))
		}
	}
	return w.Flush()
}

// cell returns the value of an option as the table shows it.
func cell(value any) string {
	if value == time.Duration(0) {
		return "none"
	}
	return fmt.Sprint(value)
}

// taskJSON returns all there is to know about a task.
func (p *printer) taskJSON(pkg *scan.Package, t *scan.Task) object {
	o := append(object{{"name", t.Name}}, settings(t.Options)...)
	if t.Cron != nil {
		o = append(o, member{"cron", t.Cron.Schedule})
		o = append(o, settings(t.Cron.Options)...)
	}
	return append(o,
		member{"schema", t.Args.Fingerprint()},
		member{"function", pkg.Path + "." + t.Function()},
		member{"position", p.position(t.Pos)},
	)
}

// settings returns the options that are part of the policy.
func settings(all directive.Settings) object {
	var o object
	for _, s := range all {
		if s.Field == "" || s.Value == nil {
			continue
		}
		value := s.Value
		if _, isNumber := value.(int); !isNumber {
			value = fmt.Sprint(value)
		}
		o = append(o, member{s.Key, value})
	}
	return o
}

// An object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	name  string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, m := range o {
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		name, _ := json.Marshal(m.name)
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.WriteByte(separator)
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
