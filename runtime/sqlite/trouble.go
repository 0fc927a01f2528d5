package sqlite

import "time"

// complainEvery is how often the writer says that something is still wrong.
const complainEvery = 10 * time.Second

// complain notes why something is not stored or not claimed, and logs it. It is
// tried again and again, so that nobody else may hear of it.
func (w *writer) complain(err error) {
	if w.judge(err) {
		return
	}
	err = explain(w.file, err)
	w.setTrouble(err)
	switch {
	case !isDiskError(err):
		w.diskFails = time.Time{}
	case w.diskFails.IsZero():
		w.diskFails = time.Now()
	case time.Since(w.diskFails) > diskPatience:
		w.fail(err)
		return
	}
	if now := time.Now(); now.Sub(w.complainedAt) > complainEvery {
		w.complainedAt = now
		w.log.Error("tasks or their outcomes wait until the database can be used; trying again", "err", err)
	}
}

// setTrouble notes why not everything is stored, nil if it is.
func (w *writer) setTrouble(err error) {
	if err == nil {
		w.diskFails = time.Time{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trouble = err
}
