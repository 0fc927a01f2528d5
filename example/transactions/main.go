// Transactions enqueues a task in the transaction of the application: the order and
// its receipt are stored together, or neither of them is.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/sqlite"
)

//go:generate go tool dtaskgen

// SendReceipt stands for sending a mail.
//
//dtask:task keep=1h
func SendReceipt(ctx context.Context, order int64) (string, error) {
	return fmt.Sprintf("receipt for order %d", order), nil
}

// place stores an order and enqueues its receipt, in one transaction.
func place(ctx context.Context, db *sql.DB, article string, stock int) (handle dtask.Handle[string], err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return handle, err
	}
	defer tx.Rollback()
	result, err := tx.ExecContext(ctx, "INSERT INTO orders (article) VALUES (?)", article)
	if err != nil {
		return handle, err
	}
	order, err := result.LastInsertId()
	if err != nil {
		return handle, err
	}
	handle, err = DelaySendReceipt(sqlite.WithTx(ctx, tx), SendReceiptArgs{Order: order})
	if err != nil {
		return handle, err
	}
	if stock == 0 {
		return handle, fmt.Errorf("no %s in stock", article) // the receipt is gone with the order
	}
	return handle, tx.Commit()
}

func main() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	client, err := dtask.Open(ctx, "sqlite:shop.db")
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	dtask.SetDefault(client)
	db, err := sql.Open("sqlite", "file:shop.db?_txlock=immediate&_pragma=busy_timeout(5000)")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, article TEXT)"); err != nil {
		log.Fatal(err)
	}

	if _, err := place(ctx, db, "moon", 0); err != nil {
		fmt.Println("rolled back:", err)
	}
	handle, err := place(ctx, db, "lamp", 7)
	if err != nil {
		log.Fatal(err)
	}

	worker, err := dtask.NewWorker(client, dtask.WorkerConfig{}, Tasks())
	if err != nil {
		log.Fatal(err)
	}
	stopped := make(chan error)
	go func() { stopped <- worker.Run(ctx) }()
	fmt.Println(handle.Wait(ctx))
	stop()
	if err := <-stopped; err != nil {
		log.Fatal(err)
	}
	fmt.Println(worker.Stats().Done, "task was run")
}
