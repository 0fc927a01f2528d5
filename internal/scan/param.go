package scan

import (
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/internal/diagnostic"
	"github.com/dtaskhq/dtask/internal/directive"
	"github.com/dtaskhq/dtask/internal/fieldtag"
)

// paramTags takes in what directives say of parameters: the tags that their fields get.
//
//	//dtask:param recipient was=to
func (p *packageScan) paramTags(t *Task, directives []directive.Directive) {
	const form = "write //dtask:param NAME WORDS, such as //dtask:param recipient was=to"
	for _, d := range directives {
		words := strings.Fields(d.Args)
		if len(words) != 2 {
			p.ReportAt(d.Pos, diagnostic.Option, form, "dtask:param names no parameter and what to say of it")
			continue
		}
		i := slices.IndexFunc(t.Params, func(q Param) bool { return q.Name == words[0] })
		tag, flaw, hint := fieldtag.Parse(words[1])
		switch {
		case t.OwnArgs:
			p.ReportAt(d.Pos, diagnostic.Option, "tag the field of "+t.Names.Args, "the arguments of %s are a struct of yours", t.Function())
		case i < 0:
			p.ReportAt(d.ArgsPos, diagnostic.Option, form, "%s has no parameter %s", t.Function(), words[0])
		case t.Params[i].Tag != "":
			p.ReportAt(d.Pos, diagnostic.Option, "put the words on one line, with commas between them", "dtask:param %s is repeated", words[0])
		case tag.Secret:
			p.ReportAt(d.ArgsPos, diagnostic.Option, "write //dtask:task secret="+words[0], "%s is secret, which is said elsewhere", words[0])
		case flaw != "":
			p.ReportAt(d.ArgsPos, diagnostic.Option, hint, "%s: %s", words[0], strings.Replace(flaw, "its dtask tag", "the directive", 1))
		default:
			t.Params[i].Tag = words[1]
			t.Args.Fields[i].Was = tag.Was
		}
	}
	var fields []fieldtag.Field
	for _, f := range t.Args.Fields {
		fields = append(fields, fieldtag.Field{Name: f.Name, Was: f.Was, Go: f.Name})
	}
	if t.OwnArgs {
		return // its clashes are reported as those of any struct
	}
	for _, c := range fieldtag.Clashes(fields) {
		p.Report(t.Pos, diagnostic.Option, c.Hint, "%s: %s: %s", t.Function(), fields[c.Index].Name, c.Reason)
	}
}
