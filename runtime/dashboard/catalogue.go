package dashboard

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dashboard/internal/form"
	"github.com/dtaskhq/dtask/runtime/operate"
	"github.com/dtaskhq/dtask/runtime/operate/selection"
)

// cataloguePage is what the page of all tasks shows.
type cataloguePage struct {
	Verdict, Rest string
	Rows          []knownTask
	Sort          sorting
}

var taskColumns = map[string]func(a, b *knownTask) int{
	"task":    func(a, b *knownTask) int { return cmp.Compare(a.Name, b.Name) },
	"queue":   func(a, b *knownTask) int { return cmp.Compare(a.Queue, b.Queue) },
	"workers": func(a, b *knownTask) int { return cmp.Compare(a.Workers, b.Workers) },
}

// A knownTask is a task, with one version of its arguments, as pages have it.
type knownTask struct {
	Name, Schema string
	Synopsis     string // the first sentence of its documentation
	Queue        string
	Workers      int
	Options      []fact
	Own          bool // this program has it
	Query        string
}

func (v *visit) catalogue() (any, error) {
	tasks, err := v.tasks()
	if err != nil {
		return nil, err
	}
	p := cataloguePage{Sort: v.sorting("task")}
	alone := 0
	for _, t := range tasks {
		row := knownTaskOf(t)
		if row.Workers == 0 {
			alone++
		}
		p.Rows = append(p.Rows, row)
	}
	p.Verdict = plural(len(p.Rows), "task") + "."
	switch {
	case len(p.Rows) == 0:
		p.Verdict = "No task is known."
	case alone > 0:
		p.Rest = fmt.Sprintf("Of %d no worker is here.", alone)
	default:
		p.Rest = "For each there is a worker."
	}
	sortRows(p.Sort, p.Rows, taskColumns)
	return p, nil
}

// tasks returns the tasks of this program and of the workers. Those of this program are
// known, too, when the broker is away.
func (v *visit) tasks() ([]operate.Task, error) {
	seen := see(v, v.looks.tasks)
	switch {
	case seen.known():
		return seen.value, nil
	case seen.err != nil && len(v.own) > 0:
		return v.own, nil
	}
	return nil, seen.unseen()
}

func knownTaskOf(t operate.Task) knownTask {
	k := knownTask{Name: t.Name, Schema: t.Spec.Schema, Queue: t.Spec.Queue, Workers: len(t.Processes), Own: t.Known(), Synopsis: synopsis(t.Spec.Doc)}
	k.Query = url.Values{"name": {t.Name}, "schema": {t.Spec.Schema}}.Encode()
	k.Options = options(t)
	return k
}

// synopsis returns the first sentence of a documentation.
func synopsis(doc string) string {
	first, _, _ := strings.Cut(doc, "\n\n")
	first = strings.Join(strings.Fields(first), " ")
	if i := strings.Index(first, ". "); i >= 0 {
		first = first[:i+1]
	}
	return first
}

// options says what the directive of a task says.
func options(t operate.Task) (list []fact) {
	s := t.Spec
	list = append(list, fact{"Queue", s.Queue, ""}, fact{"Retries", number(s.Retries), ""})
	if !t.Known() {
		return list
	}
	list[1].More = "after " + took(s.Backoff) + ", and twice as long each time"
	if s.Retries == 0 || s.Backoff == 0 {
		list[1].More = ""
	}
	if s.Timeout > 0 {
		list = append(list, fact{"Timeout", took(s.Timeout), "an attempt"})
	}
	if s.Priority != broker.PriorityDefault {
		list = append(list, fact{"Priority", s.Priority.String(), ""})
	}
	if s.Keep > 0 {
		list = append(list, fact{"Outcome", "kept for " + took(s.Keep), ""})
	}
	if s.Cron != "" {
		list = append(list, fact{"Schedule", s.Cron, cronWords(s.Cron)})
	}
	if len(s.Was) > 0 {
		list = append(list, fact{"Was called", strings.Join(s.Was, ", "), ""})
	}
	if n := len(s.Earlier); n > 0 {
		list = append(list, fact{"Earlier arguments", plural(n, "version"), "of which messages may still come"})
	}
	return list
}

// taskPage is what the page of one task shows.
type taskPage struct {
	knownTask
	Doc     []string // paragraphs
	Lines   []string // the fields of the arguments
	Facts   []fact
	Workers []string

	Fields []form.Field
	Form   bool   // by the schema; else Text is to be typed
	Text   string // JSON
	In     string
	Wrong  string
}

// task returns the task that a request names.
func (v *visit) task(query url.Values) (operate.Task, error) {
	tasks, err := v.tasks()
	if err != nil {
		return operate.Task{}, err
	}
	name, schema := query.Get("name"), query.Get("schema")
	i := slices.IndexFunc(tasks, func(t operate.Task) bool {
		return t.Name == name && (t.Spec.Schema == schema || schema == "" && t.Known())
	})
	if i < 0 && schema == "" { // then one of another program
		i = slices.IndexFunc(tasks, func(t operate.Task) bool { return t.Name == name })
	}
	if i < 0 {
		return operate.Task{}, fmt.Errorf("%.100q: %w: neither this program has it nor a worker that lives", name, operate.ErrNoTask)
	}
	return tasks[i], nil
}

func (v *visit) showTask() (any, error) {
	t, err := v.task(v.r.URL.Query())
	if err != nil {
		return nil, err
	}
	p := newTaskPage(t)
	p.show(t, []byte("{}"), nil)
	return p, nil
}

func newTaskPage(t operate.Task) taskPage {
	p := taskPage{knownTask: knownTaskOf(t), Lines: t.Spec.Fields, Text: "{}"}
	if t.Spec.Doc != "" {
		p.Doc = strings.Split(strings.TrimSpace(t.Spec.Doc), "\n\n")
	}
	for _, w := range t.Processes {
		p.Workers = append(p.Workers, strings.TrimSuffix(operate.Address(w)+", "+buildName(w.Build), ", "))
	}
	return p
}

// show puts arguments into the form.
func (p *taskPage) show(t operate.Task, text []byte, wrong map[string]string) {
	p.Text = string(text)
	if s, err := t.Fields(); t.Known() && err == nil {
		p.Form, p.Fields = true, form.Fields(s, text, "", wrong)
	}
}

// schemaFile sends the JSON Schema of a task.
func (d *Dashboard) schemaFile(w http.ResponseWriter, r *http.Request) {
	v, err := d.newVisit(w, r)
	if err != nil {
		return
	}
	v.patient()
	t, err := v.task(r.URL.Query())
	var text []byte
	if err == nil {
		text, err = t.JSONSchema()
	}
	if err != nil {
		v.fail(w, http.StatusNotFound, "No such schema", sentence(err))
		return
	}
	w.Header().Set("Content-Type", "application/schema+json")
	w.Write(text) // fails only if the browser has gone
}

// enqueue takes the form of a task.
func (d *Dashboard) enqueue(w http.ResponseWriter, r *http.Request) {
	v, ok := d.allowed(w, r, Enqueue)
	if !ok {
		return
	}
	t, err := v.task(r.PostForm)
	if err != nil {
		v.tell(w, "", "catalogue", err)
		return
	}
	p := newTaskPage(t)
	p.In = r.PostForm.Get("in")
	text, wrong, again := []byte(r.PostForm.Get("arguments")), map[string]string(nil), false
	if s, failed := t.Fields(); t.Known() && failed == nil {
		text, wrong, again = form.Read(s, []byte("{}"), "", r.PostForm)
	}
	order := operate.Order{Task: t.Name, Schema: t.Spec.Schema, Arguments: text, Queue: r.PostForm.Get("queue")}
	if p.In != "" && !again {
		order.In, err = selection.ParseAge(p.In)
	}
	if order.Queue == t.Spec.Queue {
		order.Queue = ""
	}
	if !again && len(wrong) == 0 && err == nil {
		var id string
		if id, err = v.operator.Enqueue(v.ctx(), order); err == nil {
			said := fmt.Sprintf("%s was enqueued as %s.", short(t.Name), tail(id))
			if order.In > 0 {
				said = fmt.Sprintf("%s was enqueued as %s, and runs in %s.", short(t.Name), tail(id), took(order.In))
			}
			v.tell(w, said, "task?"+p.Query, nil)
			return
		}
	}
	status := http.StatusOK
	if !again {
		status = http.StatusUnprocessableEntity
	}
	if p.show(t, text, wrong); err != nil && (!errors.Is(err, operate.ErrArguments) || len(wrong) == 0) {
		p.Wrong = sentence(err)
	}
	p.Queue = cmp.Or(r.PostForm.Get("queue"), p.Queue)
	v.render(w, status, "task", short(t.Name), p)
}
