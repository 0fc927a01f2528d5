// Package browser finds the browser that tests and pictures of pages need, and drives it.
//
// It speaks the few commands of the DevTools protocol that a test of pages needs, over
// pipes. A library for all of them takes longer to compile than the tests take.
package browser

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// Path returns the program file of Chromium, under any of its names.
func Path() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("no Chromium (on Debian: apt-get install chromium)")
}

// A Browser is a Chromium without a window.
type Browser struct {
	cmd  *exec.Cmd
	dir  string
	wire *wire
}

// Start starts a browser.
func Start() (*Browser, error) {
	chromium, err := Path()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "browser")
	if err != nil {
		return nil, err
	}
	// Chromium reads commands from its file 3, and answers in its file 4.
	theirIn, in, err1 := os.Pipe()
	out, theirOut, err2 := os.Pipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	cmd := exec.Command(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
		"--disable-extensions", "--disable-background-networking", "--disable-dev-shm-usage", "--user-data-dir="+dir, "--remote-debugging-pipe")
	cmd.ExtraFiles = []*os.File{theirIn, theirOut}
	err = cmd.Start()
	theirIn.Close()
	theirOut.Close()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", chromium, err), os.RemoveAll(dir))
	}
	return &Browser{cmd: cmd, dir: dir, wire: newWire(out, in)}, nil
}

// Close ends the browser.
func (b *Browser) Close() error {
	b.wire.call("", "Browser.close", nil, nil) // if it does not obey, it is killed
	b.wire.out.Close()
	b.cmd.Process.Kill()
	b.cmd.Wait() // it has been killed
	return os.RemoveAll(b.dir)
}
