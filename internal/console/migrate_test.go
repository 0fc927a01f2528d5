package console

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/testenv/postgrestest"
	_ "github.com/dtaskhq/dtask/runtime/postgres"
)

// The tables of a broker in a database are printed, made and compared; other brokers
// have none.
func TestMigrate(t *testing.T) {
	url := postgrestest.URL(t)
	for _, step := range []struct {
		command string
		code    int
		want    string
	}{
		{"check", exitFailed, "dtask migrate up"},
		{"print", exitOK, "CREATE TABLE dtask_messages"},
		{"up", exitOK, "migrated from version 0 to"},
		{"up", exitOK, "up to date"},
		{"print", exitOK, "nothing to do"},
		{"check", exitOK, "no differences"},
	} {
		r := dtask(t, url, "migrate", step.command)
		r.want(t, step.code)
		if !strings.Contains(r.out, step.want) {
			t.Errorf("migrate %s prints %s, want %s", step.command, r.out, step.want)
		}
	}
	postgrestest.Exec(t, url, "DROP INDEX "+url[strings.LastIndex(url, "=")+1:]+".dtask_dead")
	r := dtask(t, url, "migrate", "check")
	r.want(t, exitFailed)
	if !strings.Contains(r.out, "CREATE INDEX dtask_dead") {
		t.Errorf("check prints %s, want what repairs it", r.out)
	}
	dtask(t, "sqlite:"+filepath.Join(t.TempDir(), "tasks.db"), "migrate", "up").want(t, exitUnsupported)
}
