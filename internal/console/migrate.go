package console

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
)

func (p *Program) migrate() *cobra.Command {
	migrate := &cobra.Command{
		Use:   "migrate",
		Short: "Make, print or check the tables of a broker in a database",
		Long: `Make the tables of a broker in a database, and bring them up to date. Programs do that
by themselves when they begin, unless their URL says migrate=off: then their user needs
no right to make tables.`,
		Example: "  dtask migrate up --url postgres://owner@db/shop\n  dtask migrate check",
	}
	command := func(use, short, long string, run func(context.Context, broker.Migrator) error) *cobra.Command {
		return &cobra.Command{
			Use: use, Short: short, Long: long, Args: cobra.NoArgs,
			Example: "  dtask migrate " + use,
			RunE:    func(c *cobra.Command, _ []string) error { return p.withMigrator(c.Context(), run) },
		}
	}
	migrate.AddCommand(
		command("up", "Bring the tables to the version of this build", "", p.migrateUp),
		command("print", "Print the statements that up would execute", "", p.migratePrint),
		command("check", "Say in what the tables differ from those of this build",
			"Say in what the tables differ from those of this build, and print the statements that\nrepair them. It makes tables to compare with, and rolls them back.", p.migrateCheck),
	)
	return migrate
}

func (p *Program) withMigrator(ctx context.Context, run func(context.Context, broker.Migrator) error) error {
	url, err := p.broker()
	if err != nil {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	m, err := broker.OpenMigrator(soon, url)
	if err != nil {
		return err
	}
	defer m.Close()
	return run(ctx, m)
}

func (p *Program) migrateUp(ctx context.Context, m broker.Migrator) error {
	before, after, err := m.Up(ctx)
	switch {
	case err != nil:
		return err
	case before == after:
		fmt.Fprintf(p.Out, "up to date: version %d\n", after)
	default:
		fmt.Fprintf(p.Out, "migrated from version %d to %d\n", before, after)
	}
	return nil
}

func (p *Program) migratePrint(ctx context.Context, m broker.Migrator) error {
	script, err := m.Script(ctx)
	if err == nil && script == "" {
		script = "-- nothing to do\n"
	}
	fmt.Fprint(p.Out, script)
	return err
}

func (p *Program) migrateCheck(ctx context.Context, m broker.Migrator) error {
	list, err := m.Check(ctx)
	if err != nil {
		return err
	}
	for _, d := range list {
		fmt.Fprintf(p.Out, "-- %s\n%s\n", printable.Text(d.What, ""), d.Repair)
	}
	if len(list) > 0 {
		return fmt.Errorf("%d differences; what was printed repairs them", len(list))
	}
	fmt.Fprintln(p.Out, "no differences")
	return nil
}
