package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// photograph runs the example in an empty folder, clicks what there is to click,
// and takes a picture of the page.
func photograph(file string) error {
	dir, err := os.MkdirTemp("", "pictures")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	exe := filepath.Join(dir, "example")
	if out, err := exec.Command("go", "build", "-o", exe, "./example").CombinedOutput(); err != nil {
		return fmt.Errorf("build the example: %w\n%s", err, out)
	}
	cmd := exec.Command(exe, "-addr", "127.0.0.1:0", "-data", filepath.Join(dir, "data"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}()
	page := ""
	for lines := bufio.NewScanner(out); page == "" && lines.Scan(); {
		page, _ = strings.CutPrefix(lines.Text(), "page    ")
		if !strings.HasPrefix(page, "http") {
			page = ""
		}
	}
	if page == "" {
		return errors.New("the example names no page")
	}
	for _, click := range []string{"samples", "stumble", "crash"} {
		answer, err := http.Post(page+"/"+click, "", nil)
		if err != nil {
			return err
		}
		answer.Body.Close()
		if err := settled(page); err != nil {
			return err
		}
	}
	return shoot(page, file, "960,930")
}

// settled waits until the page shows no pending task.
func settled(page string) error {
	for range 300 {
		answer, err := http.Get(page + "/state")
		if err != nil {
			return err
		}
		state, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			return err
		}
		if !strings.Contains(string(state), "data-pending") {
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
	return errors.New("the tasks are still pending after a minute")
}

// shoot has Chromium take a picture of a page.
func shoot(page, file, size string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
		"--window-size="+size, "--screenshot="+file, page).CombinedOutput()
	if err != nil {
		return fmt.Errorf("chromium (on Debian: apt-get install chromium): %w\n%s", err, out)
	}
	return nil
}
