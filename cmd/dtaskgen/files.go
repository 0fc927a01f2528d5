package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dtaskhq/dtask/internal/generated"
	"github.com/dtaskhq/dtask/internal/lock"
	"github.com/dtaskhq/dtask/internal/scan"
	"github.com/dtaskhq/dtask/templates"
)

// A file is a generated file as it is and as it should be.
type file struct {
	path string
	old  []byte // nil if it does not exist
	new  []byte // nil if it should not exist
}

func (f *file) changes() bool { return !bytes.Equal(f.old, f.new) || (f.old == nil) != (f.new == nil) }

// render returns the files of the packages, those to be removed, and the locks of
// the modules.
func render(result *scan.Result, modules []*lockedModule) ([]*file, error) {
	if result.Failed() {
		return nil, nil
	}
	var files []*file
	for _, p := range result.Packages {
		f, err := read(filepath.Join(p.Dir, generated.File))
		if err != nil {
			return nil, err
		}
		if f.new, err = templates.Render(p, f.old); err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	for _, path := range result.Stale {
		f, err := read(path)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	for _, m := range modules {
		files = append(files, m.file)
	}
	return files, nil
}

// read returns a file as it is, and not yet as it should be.
func read(path string) (*file, error) {
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &file{path: path}, nil
	case err != nil:
		return nil, fmt.Errorf("cannot read a generated file: %w", err)
	}
	return &file{path: path, old: old}, nil
}

// errOverlap: another run wrote a file that this one has read.
var errOverlap = errors.New("another dtaskgen writes at the same time; run it again")

// write makes the files what they should be. It touches only what changes. The lock
// of a module comes from what it was, so it must be that still.
func write(files []*file) error {
	for _, f := range files {
		if filepath.Base(f.path) == lock.File {
			if now, err := read(f.path); err != nil || !bytes.Equal(now.old, f.old) {
				return cmp.Or(err, errOverlap)
			}
		}
	}
	for _, f := range files {
		if !f.changes() {
			continue
		}
		if f.new == nil {
			if err := os.Remove(f.path); err != nil {
				return fmt.Errorf("cannot remove the generated file of a package without tasks: %w", err)
			}
			continue
		}
		if err := f.replace(); err != nil {
			return fmt.Errorf("cannot write a generated file: %w", err)
		}
	}
	return nil
}

// replace writes the file in one step: others see all of the old one, or all of
// the new one.
func (f *file) replace() error {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(f.path); err == nil {
		mode = info.Mode().Perm()
	}
	// If the file is left behind, Go ignores it by its name.
	temp, err := os.CreateTemp(filepath.Dir(f.path), "."+filepath.Base(f.path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // fails once it is renamed
	_, err = temp.Write(f.new)
	if err := errors.Join(err, temp.Chmod(mode), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), f.path)
}
