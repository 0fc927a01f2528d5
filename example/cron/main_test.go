package main

import (
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/worker"
)

func TestCommands(t *testing.T) {
	for _, args := range [][]string{{"tasks"}, {"run", "cron.Remind"}} {
		if code := worker.Run(args, Tasks()); code != 0 {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
}

// A tick that was due while no worker ran is made up for.
func TestMissedTick(t *testing.T) {
	url := "sqlite:" + t.TempDir() + "/cron.db"
	client, err := dtask.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := client.Tick(t.Context(), Tasks()[0], time.Time{}, time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	if code := worker.Run([]string{"-url", url, "-drain"}, Tasks()); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
