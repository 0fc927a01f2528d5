package console

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/operate"
)

func (p *Program) deadGroups() *cobra.Command {
	return &cobra.Command{
		Use:   "groups [SELECT]",
		Short: "List dead letters by task and fault, with what differs left out",
		Long: `List dead letters by task and fault: those whose errors differ only in ids, numbers,
quoted values and addresses of mail. The selection of a group is for dead retry and the
other commands.`,
		Example:           "  dtask dead groups 'for<1d'",
		ValidArgsFunction: p.completeSelect,
		RunE: func(c *cobra.Command, args []string) error {
			s, err := onlyDead(args)
			if err != nil {
				return err
			}
			return p.with(c.Context(), func(o *operate.Operator) error {
				found, err := o.Groups(c.Context(), s, 0)
				return writeAll(p, found.Groups, err, groupColumns, func(g operate.Group) any { return groupRecordOf(g) })
			})
		},
	}
}

var groupColumns = []column[operate.Group]{
	{key: "messages", title: "DEAD", value: func(g operate.Group) string { return strconv.Itoa(g.Messages) }},
	{key: "newest", title: "NEWEST", cell: func(g operate.Group) string { return printable.Since(g.Newest) }, value: func(g operate.Group) string { return stamp(g.Newest) }},
	{key: "oldest", value: func(g operate.Group) string { return stamp(g.Oldest) }},
	{key: "task", title: "TASK", cell: func(g operate.Group) string { return shortTask(g.Task) }, value: func(g operate.Group) string { return g.Task }},
	{key: "kind", title: "KIND", value: func(g operate.Group) string { return g.Kind }},
	{key: "error", title: "ERROR", value: func(g operate.Group) string { return g.Error }},
	{key: "sample", value: func(g operate.Group) string { return g.Sample }},
	{key: "select", title: "SELECT", wide: true, value: func(g operate.Group) string { return g.Selection() }},
}

// A groupRecord is a group of dead letters in JSON.
type groupRecord struct {
	Task     string    `json:"task"`
	Kind     string    `json:"kind"`
	Error    string    `json:"error"`
	Messages int       `json:"messages"`
	Oldest   time.Time `json:"oldest,omitzero"`
	Newest   time.Time `json:"newest,omitzero"`
	Sample   string    `json:"sample"`
	Queues   []string  `json:"queues"`
	Select   string    `json:"select"`
}

func groupRecordOf(g operate.Group) groupRecord {
	return groupRecord{g.Task, g.Kind, g.Error, g.Messages, g.Oldest, g.Newest, g.Sample, g.Queues, g.Selection()}
}
