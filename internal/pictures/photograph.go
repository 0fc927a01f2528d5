package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/dtaskhq/dtask/internal/testenv/browser"
)

// photograph runs the example in an empty folder, clicks what there is to click, and takes
// pictures of its page, and of the dashboard with a mail that somebody has to mend.
func photograph(example, dashboard string) error {
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
	for _, click := range []string{"samples", "stumble", "crash", "mistake"} {
		answer, err := http.Post(page+"/"+click, "", nil)
		if err != nil {
			return err
		}
		answer.Body.Close()
		if err := settled(page); err != nil {
			return err
		}
	}
	b, err := browser.Start()
	if err != nil {
		return err
	}
	defer b.Close() // the folder for temporary files gets what it leaves
	window, err := b.Page()
	if err != nil {
		return err
	}
	if err := shoot(window, page, example, 960, 1010); err != nil {
		return err
	}
	if err := window.Follow("a", "See why, and mend it"); err != nil {
		return err
	}
	if err := window.Click("summary", "Log"); err != nil {
		return err
	}
	return shoot(window, "", dashboard, 1280, 760)
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

// shoot takes a picture of a page, or of the one that the window shows.
func shoot(window *browser.Page, page, file string, width, height int) error {
	if err := window.Look(width, height, false); err != nil {
		return err
	}
	if page != "" {
		if err := window.Open(page); err != nil {
			return err
		}
	}
	png, err := window.Picture()
	if err != nil {
		return err
	}
	return os.WriteFile(file, png, 0o666)
}
