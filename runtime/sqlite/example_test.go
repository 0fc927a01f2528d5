package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/sqlite"
)

// A client of a file. The tables of this program begin with "shop_".
func Example() {
	dir, err := os.MkdirTemp("", "shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	client, err := dtask.Open(context.Background(), "sqlite:"+filepath.Join(dir, "tasks.db")+"?namespace=shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	dtask.SetDefault(client)
	fmt.Println("ready")
	// Output: ready
}

// An order and the task that mails its receipt are committed together.
func ExampleWithTx() {
	if err := order(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output: 1 task waits
}

func order(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "shop")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "shop.db")

	client, err := dtask.Open(ctx, "sqlite:"+file)
	if err != nil {
		return err
	}
	defer client.Close()
	db, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE TABLE orders (article TEXT)"); err != nil {
		return err
	}

	// Generated for: func SendReceipt(ctx context.Context) error
	receipt := dtask.Define[dtask.None, dtask.None]("mail.SendReceipt", dtask.Spec{Queue: "mail"})

	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "INSERT INTO orders VALUES ('lamp')"); err != nil {
		return err
	}
	if _, err := receipt.Delay(dtask.NewContext(sqlite.WithTx(ctx, tx), client), dtask.None{}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}

	admin, err := client.Admin()
	if err != nil {
		return err
	}
	queues, err := admin.Queues(ctx)
	if err != nil {
		return err
	}
	for _, q := range queues {
		fmt.Println(q.Ready, "task waits")
	}
	return nil
}
