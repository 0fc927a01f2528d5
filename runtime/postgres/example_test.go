package postgres_test

import (
	"context"
	"log"

	"github.com/jackc/pgx/v5"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/postgres"
)

// An order and the task that counts it: both are stored, or neither of them.
func ExampleWithTx() {
	ctx := context.Background()
	client, err := dtask.Open(ctx, "postgres://shop@localhost/shop")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	ctx = dtask.NewContext(ctx, client)
	conn, err := pgx.Connect(ctx, "postgres://shop@localhost/shop")
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close(ctx)
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO orders (article) VALUES ('lamp')"); err != nil {
			return err
		}
		_, err := count.Delay(postgres.WithTx(ctx, tx), numbers{1})
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
}
