package inbox_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/inbox"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
)

// Two services with one program and one database, and each a namespace of its own, use
// the same id: one is not taken for done because the other has done it.
func TestTwoServices(t *testing.T) {
	databases(t, func(t *testing.T, db *sql.DB) {
		mustExec(t, db, "CREATE TABLE charges (n INTEGER)")
		task := dtask.Define[struct{}, dtask.None]("shop.Charge", dtask.Spec{Queue: "default", Keep: time.Hour})
		table := dtask.Table{dtask.BindTx(task, inbox.SQL(db), func(ctx context.Context, tx *sql.Tx, _ struct{}) (dtask.None, error) {
			_, err := charge(ctx, tx)
			return dtask.None{}, err
		})}
		file := filepath.Join(t.TempDir(), "tasks.db")
		for _, namespace := range []string{"north", "south"} {
			client, err := dtask.Open(t.Context(), "sqlite:"+file+"?namespace="+namespace)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			worker, err := dtask.NewWorker(client, dtask.WorkerConfig{}, table)
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(dtask.NewContext(t.Context(), client))
			stopped := make(chan error)
			go func() { stopped <- worker.Run(ctx) }()
			handle, err := task.Delay(ctx, struct{}{}, dtask.ID("invoice-7"))
			if err == nil {
				_, err = handle.Wait(ctx)
			}
			stop()
			if stopErr := <-stopped; err != nil || stopErr != nil {
				t.Fatal(err, stopErr)
			}
		}
		if n := count(t, db, "SELECT count(*) FROM charges"); n != 2 {
			t.Errorf("%d effects, want one of each service", n)
		}
	})
}
