package dashboard

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// deployPage is what the page of builds shows.
type deployPage struct {
	Verdict, Rest string
	Nobody        []deployRow // the worst of them
	Columns       []buildColumn
	Rows          []deployRow
	Folded        int // tasks that are not shown, as every build that has them runs them
	All           bool
	Differ, Total int
	Builds        []buildRow
	Older         []string // ids of the processes of older builds
	Would         would
	Unknown       string // why messages of other kinds may wait
	Uncounted     bool   // of some kind there may be messages
	At            time.Time
}

// A buildColumn is a build in the head of the matrix, or several older ones.
type buildColumn struct{ Title, Says string }

// A deployRow is a task with one version of its arguments.
type deployRow struct {
	operate.DeployRow
	Says    string // of the version
	Waits   string // how many wait, in words
	Age     string
	Takers  string
	Cells   []verdictCell
	Why     string // nobody takes it
	Nobody  bool
	Differs bool // builds do not all run it, or there are other versions
}

// A verdictCell is what a build does with a row.
type verdictCell struct{ Build, Word, Class, Icon, Reason string }

// A buildRow is a build in the list of builds.
type buildRow struct {
	Name, Revision string
	Workers        int
	First          time.Time
	Ago            string
}

// would is what became of what waits if the processes of older builds ended now.
type would struct{ Runs, Converted, Nobody int }

const (
	maxColumns = 4
	maxNobody  = 3
)

func (v *visit) deploy() (any, error) {
	seen := see(v, v.looks.deploy)
	if !seen.known() {
		return nil, seen.unseen()
	}
	d, workers := seen.value, see(v, v.looks.workers).value
	p := deployPage{At: seen.at, All: v.r.URL.Query().Get("all") != "", Total: len(d.Rows), Older: older(workers), Columns: columns(d.Builds)}
	if d.Unknown != nil {
		p.Unknown = sentence(d.Unknown)
	}
	several := versionsOf(d.Rows)
	messages, kinds := 0, 0
	for _, r := range d.Rows {
		row := v.deployRow(r, d.Builds, several[r.Task] > 1)
		if row.Nobody {
			messages, kinds = messages+max(r.Waiting, 0), kinds+1
			if len(p.Nobody) < maxNobody {
				p.Nobody = append(p.Nobody, row)
			}
		}
		p.Uncounted = p.Uncounted || r.Waiting < 0
		if row.Differs {
			p.Differ++
		}
		if row.Differs || p.All {
			p.Rows = append(p.Rows, row)
		} else {
			p.Folded++
		}
	}
	p.Verdict, p.Rest = deployVerdict(d.Builds, messages, kinds)
	if len(p.Older) > 0 {
		p.Would = wouldBe(d, workers, p.Older)
	}
	for _, b := range d.Builds {
		row := buildRow{Name: buildTitle(b), Workers: b.Processes, First: b.First, Ago: ago(v.now.Sub(b.First)) + " ago"}
		if rev := b.Revision[:min(len(b.Revision), 7)]; rev != row.Name {
			row.Revision = rev
		}
		p.Builds = append(p.Builds, row)
	}
	return p, nil
}

// versionsOf counts the versions of the arguments of each task.
func versionsOf(rows []operate.DeployRow) map[string]int {
	n := make(map[string]int)
	for _, r := range rows {
		if r.Schema != "" { // which fits the present one, or none
			n[r.Task]++
		}
	}
	return n
}

func deployVerdict(builds []operate.Build, messages, kinds int) (string, string) {
	verdict := fmt.Sprintf("%s of workers.", plural(len(builds), "build"))
	switch len(builds) {
	case 0:
		verdict = "No worker is here."
	case 1:
		verdict = fmt.Sprintf("All workers are of one build, %s.", buildTitle(builds[0]))
	}
	switch {
	case kinds == 0 && len(builds) == 0:
		return verdict, "Nothing waits."
	case kinds == 0:
		return verdict, "Everything that waits can be run."
	case messages == 0:
		return verdict, fmt.Sprintf("What may wait of %s nobody takes.", plural(kinds, "kind"))
	}
	return verdict, fmt.Sprintf("%s can be run by nobody, of %s.", plural(messages, "message"), plural(kinds, "kind"))
}

// buildTitle names a build: what has no version is a program of somebody who tries it.
func buildTitle(b operate.Build) string {
	return cmp.Or(buildName(b.Build), short(b.Module), "not known")
}

func columns(builds []operate.Build) (list []buildColumn) {
	for i, b := range builds {
		if i == maxColumns-1 && len(builds) > maxColumns {
			n := 0
			for _, b := range builds[i:] {
				n += b.Processes
			}
			return append(list, buildColumn{fmt.Sprintf("%d older", len(builds)-i), plural(n, "worker")})
		}
		says := plural(b.Processes, "worker")
		if b.Quiet > 0 {
			says += fmt.Sprintf(", %d quiet", b.Quiet)
		}
		list = append(list, buildColumn{buildTitle(b), says})
	}
	return list
}

func (v *visit) deployRow(r operate.DeployRow, builds []operate.Build, several bool) deployRow {
	row := deployRow{DeployRow: r, Waits: number(r.Waiting), Takers: number(r.Takers), Nobody: r.Nobody(), Differs: several || r.Nobody()}
	if r.Waiting < 0 {
		row.Waits = "maybe some"
	}
	if !r.Oldest.IsZero() {
		row.Age = ago(v.now.Sub(r.Oldest))
	}
	row.Says = v.fieldsOf(r.Task, r.Schema)
	for i, c := range columns(builds) {
		verdict := r.Verdicts[i]
		if i == maxColumns-1 && len(builds) > maxColumns {
			for _, other := range r.Verdicts[i:] {
				if other.Runs() {
					verdict = other
				}
			}
		}
		cell := verdictCell{Build: c.Title, Word: "cannot", Class: "dim", Reason: verdict.Reason}
		switch verdict.Fate {
		case "":
			cell.Word = "–"
		case broker.FateRuns:
			cell.Word, cell.Class, cell.Icon = "runs", "done", "done"
		case broker.FateConverted:
			cell.Word, cell.Class, cell.Icon = "converts", "", "from"
		default:
			row.Differs = true
		}
		row.Cells = append(row.Cells, cell)
	}
	if row.Nobody {
		row.Why = whyNobody(r)
	}
	return row
}

// fieldsOf says what the arguments of a version are, if this program knows it.
func (v *visit) fieldsOf(task, schema string) string {
	if schema == "" {
		return "without a schema, of another language"
	}
	for _, t := range v.own {
		if t.Name == task && t.Spec.Schema == schema {
			const most = 80
			return printable.Cut(strings.Join(t.Spec.Fields, ", "), most)
		}
	}
	return ""
}

// whyNobody says why no process takes what waits of a row.
func whyNobody(r operate.DeployRow) string {
	reason, has, runs := "", false, false
	for _, verdict := range r.Verdicts {
		has = has || verdict.Fate != ""
		runs = runs || verdict.Runs()
		reason = cmp.Or(reason, verdict.Reason)
	}
	switch {
	case runs:
		return fmt.Sprintf("There is a build that runs it, but none of its workers takes messages of %s.", listed(r.Queues))
	case has:
		return "No living build runs this version: " + cmp.Or(reason, "none knows it") + "."
	}
	return "No living worker has this task."
}

// wouldBe says what becomes of what waits without the processes of older builds.
func wouldBe(d operate.Deploy, workers []broker.Process, old []string) (w would) {
	stay := make([]bool, len(d.Builds))
	for i, b := range d.Builds {
		stay[i] = slices.ContainsFunc(workers, func(p broker.Process) bool {
			return p.Build == b.Build && p.State == broker.ProcessWorking && !slices.Contains(old, p.ID)
		})
	}
	for _, r := range d.Rows {
		n, runs, converted := max(r.Waiting, 0), false, false
		for i, verdict := range r.Verdicts {
			runs = runs || stay[i] && verdict.Fate == broker.FateRuns
			converted = converted || stay[i] && verdict.Fate == broker.FateConverted
		}
		switch {
		case runs:
			w.Runs += n
		case converted:
			w.Converted += n
		default:
			w.Nobody += n
		}
	}
	return w
}
