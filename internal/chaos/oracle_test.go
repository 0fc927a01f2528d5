//go:build unix

package chaos

import (
	"testing"
	"time"
)

// The account counts what a made-up ledger holds of every kind.
func TestAccount(t *testing.T) {
	dir := t.TempDir()
	producer, err := openLedger(dir, "producer")
	if err != nil {
		t.Fatal(err)
	}
	defer producer.file.Close()
	worker, err := openLedger(dir, "worker")
	if err != nil {
		t.Fatal(err)
	}
	defer worker.file.Close()
	for id, outcome := range map[string]event{
		"once": confirmed, "twice": confirmed, "lost": confirmed, "dead": confirmed, "early": confirmed,
		"unknown-run": unknown, "unknown-not": unknown, "killed-run": "", "failed-run": failed, "failed-not": failed,
	} {
		producer.note(attempted, id, "")
		switch outcome {
		case confirmed:
			producer.note(confirmed, id, 1500)
		case "":
		default:
			producer.note(outcome, id, "the reason,\nin two lines")
		}
	}
	for _, id := range []string{"once", "twice", "twice", "unknown-run", "killed-run", "failed-run", "from-nowhere"} {
		worker.note(executed, id, "3 1")
	}
	worker.note(executed, "early", "-1 1")

	r, err := openRecord(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer r.file.Close()
	if _, err := r.update(); err != nil {
		t.Fatal(err)
	}
	if r.open != 2 {
		t.Errorf("%d confirmed and not executed, want 2", r.open)
	}
	want := account{
		name: "oracle", attempted: 10, confirmed: 5, failed: 2, executed: 7, dead: 1,
		lost: 1, duplicated: 1, recovered: 2, unexpected: 2, early: 1, worst: 1500 * time.Microsecond,
	}
	if got := r.account("oracle", map[string]bool{"dead": true}); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
