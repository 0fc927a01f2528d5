package console

import (
	"bytes"
	"encoding/json"

	"github.com/spf13/cobra"
)

func (p *Program) schema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema [TASK]",
		Short: "Print the JSON Schema of the arguments of tasks",
		Long: `Print the JSON Schema (2020-12) of the arguments of a task of this program, or those of
all tasks as one object, by their names. It is what dtaskgen -emit jsonschema writes.`,
		Example:           "  dtask schema\n  dtask schema mail.Send",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: p.completeTask,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				t, err := p.ownTask(args[0])
				if err != nil {
					return err
				}
				text, err := t.JSONSchema()
				if err == nil {
					_, err = p.Out.Write(text)
				}
				return err
			}
			all := make(map[string]json.RawMessage)
			for _, t := range p.Own {
				text, err := t.JSONSchema()
				if err != nil {
					return err
				}
				all[t.Name] = text
			}
			var out bytes.Buffer
			e := json.NewEncoder(&out)
			e.SetEscapeHTML(false)
			e.SetIndent("", "\t")
			if err := e.Encode(all); err != nil {
				return err
			}
			_, err := p.Out.Write(out.Bytes())
			return err
		},
	}
}
