// Package terminal runs programs in a real terminal, that of tmux, and reads what is on
// its screen.
package terminal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Path returns the program file of tmux.
func Path() (string, error) {
	path, err := exec.LookPath("tmux")
	if err != nil {
		return "", errors.New("no tmux (on Debian: apt-get install tmux)")
	}
	return path, nil
}

// A Terminal is one with a program in it.
type Terminal struct {
	tmux   string
	socket string
	dir    string
}

// Start starts a program in a terminal of so many columns and lines. env is added to
// the environment.
func Start(columns, lines int, env []string, program ...string) (*Terminal, error) {
	tmux, err := Path()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tmux") // the path of a socket is to be short
	if err != nil {
		return nil, err
	}
	t := &Terminal{tmux: tmux, socket: filepath.Join(dir, "s"), dir: dir}
	args := []string{"-f", os.DevNull, "new-session", "-d", "-x", strconv.Itoa(columns), "-y", strconv.Itoa(lines)}
	for _, e := range env {
		args = append(args, "-e", e)
	}
	if _, err := t.run(append(append(args, "--"), program...)...); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return t, nil
}

// Screen returns what is on the screen. With colors it has the sequences that make it
// look so.
func (t *Terminal) Screen(colors bool) (string, error) {
	args := []string{"capture-pane", "-p"}
	if colors {
		args = append(args, "-e")
	}
	return t.run(args...)
}

// Type presses keys, by the names that tmux has for them: "j", "Enter", "Escape".
func (t *Terminal) Type(keys ...string) error {
	_, err := t.run(append([]string{"send-keys"}, keys...)...)
	return err
}

// Resize changes the size.
func (t *Terminal) Resize(columns, lines int) error {
	_, err := t.run("resize-window", "-x", strconv.Itoa(columns), "-y", strconv.Itoa(lines))
	return err
}

// Await waits until the screen is as wanted, and returns it, or as it is after a while.
func (t *Terminal) Await(patience time.Duration, wanted func(screen string) bool) (screen string, ok bool) {
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		screen, err := t.Screen(false)
		if err != nil {
			return err.Error(), false
		}
		if ok := wanted(screen); ok || time.Now().After(deadline) {
			return screen, ok
		}
	}
}

// Close ends the program and the terminal.
func (t *Terminal) Close() {
	t.run("kill-server")
	os.RemoveAll(t.dir)
}

func (t *Terminal) run(args ...string) (string, error) {
	out, err := exec.Command(t.tmux, append([]string{"-S", t.socket}, args...)...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("tmux: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
