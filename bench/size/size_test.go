// Package size measures how much disk a waiting task takes on SQLite:
//
//	go test -v ./size
package size

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/runtime/dtask"
	_ "github.com/dtaskhq/dtask/runtime/sqlite"
)

type args struct {
	Text string `json:"text"`
}

// count is how many tasks wait.
const count = 100_000

func TestSize(t *testing.T) {
	task := dtask.Define[args, dtask.None]("github.com/acme/shop/mail.SendWelcome", dtask.Spec{Queue: "mail", Retries: 5})
	for _, bytes := range []int{100, 1000} { // of the arguments, as JSON
		file := filepath.Join(t.TempDir(), "tasks.db")
		client, err := dtask.Open(t.Context(), "sqlite:"+file)
		if err != nil {
			t.Fatal(err)
		}
		batch := make([]args, 1000)
		for i := range batch {
			batch[i].Text = strings.Repeat("x", bytes-len(`{"text":""}`))
		}
		for range count / len(batch) {
			if _, err := dtask.DelayMany(dtask.NewContext(t.Context(), client), task, batch); err != nil {
				t.Fatal(err)
			}
		}
		if err := client.Close(); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("arguments of %d bytes: %d bytes of the file for each task", bytes, info.Size()/count)
	}
}
