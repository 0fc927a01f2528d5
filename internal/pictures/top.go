package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/terminal"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// The size of the terminal.
const columns, rows = 100, 20

// terminals runs dtask top in a real terminal beside the shop, and draws two of its
// screens.
func terminals(folder string) error {
	dir, err := os.MkdirTemp("", "pictures")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	exe := filepath.Join(dir, "dtask")
	if out, err := exec.Command("go", "build", "-o", exe, "./cmd/dtask").CombinedOutput(); err != nil {
		return fmt.Errorf("build dtask: %w\n%s", err, out)
	}
	url := "sqlite:" + filepath.Join(dir, "tasks.db")
	ctx, closeShop, err := openShop(url)
	if err != nil {
		return err
	}
	defer closeShop()
	if err := fillShop(ctx); err != nil {
		return err
	}
	t, err := terminal.Start(columns, rows, []string{"DTASK_URL=" + url}, exe, "top")
	if err != nil {
		return err
	}
	defer t.Close()
	for _, p := range []struct {
		key, file string
		shows     []string
	}{
		{"1", "top-overview.svg", []string{"550 no such mailbox", "1 workers", "reports"}},
		{"2", "top-queues.svg", []string{"no consumer", "paused"}},
	} {
		if err := t.Type(p.key); err != nil {
			return err
		}
		screen, ok := t.Await(time.Minute, func(screen string) bool {
			for _, text := range p.shows {
				if !strings.Contains(screen, text) {
					return false
				}
			}
			return true
		})
		if !ok {
			return errors.New("dtask top does not show what it should:\n" + screen)
		}
		if screen, err = t.Screen(true); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, p.file), []byte(drawTerminal(screen, columns)), 0o666); err != nil {
			return err
		}
	}
	return nil
}

// fillShop has the shop do something of everything.
func fillShop(ctx context.Context) error {
	var letters []string
	for i := range 120 {
		letters = append(letters, fmt.Sprintf("customer%d@example.com", i))
	}
	if err := order(ctx, sendTask, append(letters, "nobody", "nobody", "later")...); err != nil {
		return err
	}
	if err := order(ctx, scaleTask, "large", "a", "b", "c"); err != nil {
		return err
	}
	if err := order(ctx, reportTask, "november", "december"); err != nil {
		return err
	}
	if _, err := sendTask.Delay(ctx, letter{"tomorrow"}, dtask.In(24*time.Hour)); err != nil {
		return err
	}
	pauser, err := broker.As[broker.Pauser](dtask.FromContext(ctx).Broker())
	if err != nil {
		return err
	}
	return pauser.Pause(ctx, broker.Pause{What: broker.PauseQueue, Name: "images"})
}
