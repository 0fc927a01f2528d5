package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// errMoved: the paths no longer lead to the files that are open.
var errMoved = errors.New("the store is no longer where its URL says")

// identityEvery is how often the paths are looked at.
const identityEvery = time.Second

// identity is which files a broker has open. SQLite goes on with an open file that
// was deleted, moved or replaced, and confirms what nobody else will see.
type identity struct {
	file  string
	files []sameFile // by the path of the URL, before symbolic links were followed, first
}

// sameFile is a path and the file it led to when the database was opened.
type sameFile struct {
	path  string
	inode inode
}

// identify notes the files of a database that was opened.
func identify(named, file string, opened inode) (identity, error) {
	id := identity{file: file, files: []sameFile{{named, opened}, {file, opened}}}
	for _, path := range []string{file + "-wal", file + "-shm"} {
		inode, err := inodeOf(path)
		if err != nil {
			return id, fmt.Errorf("%w: %s was deleted while it was opened; open it again", errMoved, path)
		}
		id.files = append(id.files, sameFile{path, inode})
	}
	return id, id.check()
}

// check returns an error if a path leads to no file, or another one, or if the
// database was found damaged.
func (id identity) check() error {
	for _, f := range id.files {
		if err := f.check(); err != nil {
			return err
		}
	}
	return marked(id.file)
}

// checkNamed is the part of check that each commit can afford.
func (id identity) checkNamed() error { return id.files[0].check() }

func (f sameFile) check() error {
	now, err := inodeOf(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %s was deleted or moved; put it back, and start again", errMoved, f.path)
	case err != nil:
		return fmt.Errorf("%w: %s cannot be reached (%w)", errMoved, f.path, cause(err))
	case !f.inode.same(now):
		return fmt.Errorf("%w: %s was replaced by another file; start again, and what was stored in the old one is to be found there", errMoved, f.path)
	}
	return nil
}

// lookAtIdentity looks once in a while whether the files are still in their
// places.
func (w *writer) lookAtIdentity(now time.Time) {
	if past := now.Sub(w.identifiedAt); 0 <= past && past < identityEvery {
		return
	}
	w.identifiedAt = now
	if err := w.identity.check(); err != nil {
		w.fail(explain(w.file, err))
	}
}

// usable returns why the store cannot be used, after a look at its files.
func (w *writer) usable() error {
	if err := w.failure(); err != nil {
		return err
	}
	if err := w.identity.check(); err != nil {
		w.fail(explain(w.file, err))
	}
	return w.failure()
}

// soleName refuses a database that has several names: SQLite keeps the log and the
// locks beside the one by which it was opened, so that processes that use different
// names damage it, or do not see what the others commit.
func soleName(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if n := links(info); info.Mode().IsRegular() && n > 1 {
		return fmt.Errorf("it has %d names (hard links), and its log and locks lie beside one of them alone; remove the other names, or make a copy with VACUUM INTO", n)
	}
	if isMountPoint(file) {
		return errors.New("this file alone is mounted here, without the log and the locks beside it; mount its directory")
	}
	return nil
}
