package outbox

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// A relay warns of what another one should have taken, once it has seen it twice.
func TestWarn(t *testing.T) {
	var log bytes.Buffer
	r := &relay{Outbox: SQL(nil, Named("it's")), log: slog.New(slog.NewTextHandler(&log, nil))}
	old := time.Now().Add(-time.Hour)
	list := []broker.Backlog{
		{For: r.place(), Messages: 1, Oldest: old, Abandoned: true},
		{For: "busy", Messages: 2, Oldest: old},
		{For: "gone", Messages: 3, Oldest: old, Abandoned: true},
	}
	seen := r.warn(list, nil)
	if log.Len() > 0 {
		t.Errorf("at the first look it says %s", &log)
	}
	list = append(list, broker.Backlog{For: "new", Messages: 4, Oldest: old, Abandoned: true})
	r.warn(list, seen)
	said := log.String()
	if strings.Count(said, "\n") != 1 || !strings.Contains(said, "place=gone messages=3") ||
		!strings.Contains(said, "UPDATE dtask_outbox SET place = 'name:it''s' WHERE place = 'gone'") {
		t.Errorf("it says %s", said)
	}
}
