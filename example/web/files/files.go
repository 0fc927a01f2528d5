// Package files writes files that others see whole or not at all: a task may
// be killed at any moment, and may run twice.
package files

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Save writes a file. It replaces one of the same name at the end, in one
// step; after an error there is none, or the old one.
func Save(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".unfinished-*")
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	err = write(w)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	err = cmp.Or(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// SaveJSON writes v as JSON, as [Save] does.
func SaveJSON(path string, v any) error {
	return Save(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(v) })
}

// LoadJSON fills v from a file of JSON.
func LoadJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}
