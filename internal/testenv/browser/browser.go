// Package browser finds the browser that tests and pictures of pages need.
package browser

import (
	"errors"
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
