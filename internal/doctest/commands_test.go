package doctest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// proofs say which test runs a command of the pages, as it stands or with other
// paths. The pages that TestWalk does need none.
var proofs = []struct{ command, test, file string }{
	{`^cd (example/\w+|bench)$`, "TestLinks", "internal/doctest/links_test.go"},
	{`^go run \.$`, "Example", "example/hello/main_test.go"},
	{`^go run \. list`, "TestCommands", "example/cron/main_test.go"},
	{`^go run \. run cron\.Remind`, "TestCommands", "example/cron/main_test.go"},
	{`^go run \. -url sqlite:cron\.db`, "TestMissedTick", "example/cron/main_test.go"},
	{`^go run ./example( -h)?$`, "TestNothingIsLost", "example/web/experiments_test.go"},
	{`^go run ./example once `, "TestOnce", "example/web/example_test.go"},
	{`^go (generate|get)\b`, "TestExternalModule", "generate_external_test.go"},
	{`^make test$`, "TestNothingIsLost", "example/web/experiments_test.go"}, // it is one of them
	{`^go install github.com/dtaskhq/dtask/cmd/dtask`, "TestProgram", "cmd/dtask/main_test.go"},
	{`^dtask migrate `, "TestMigrate", "internal/console/migrate_test.go"},
	{`^dtask `, "TestOperationsPage", "internal/console/operations_test.go"},
	{`^mailworker preflight$`, "TestPreflight", "runtime/worker/preflight_test.go"},
	{`^mailworker preflight -from`, "TestPreflightFrom", "runtime/worker/preflight_census_test.go"},
	{`^mailworker tasks`, "TestTasks", "runtime/worker/command_test.go"},
	{`^mailworker run `, "TestRunTask", "runtime/worker/command_test.go"},
	{`^mailworker( -url| -queues)`, "TestConfig", "runtime/worker/command_test.go"},
}

// TestCommands finds commands of the pages that no test runs.
func TestCommands(t *testing.T) {
	for _, p := range pages(t) {
		if slices.Contains(walked, p.name) {
			continue
		}
		for _, b := range p.blocks {
			if b.lang != "sh" {
				continue
			}
			for line := range strings.Lines(b.text) {
				command, _, _ := strings.Cut(strings.TrimSpace(line), "  ")
				if command = strings.TrimSpace(command); command == "" || strings.HasPrefix(command, "#") {
					continue
				}
				if !proven(t, command) {
					t.Errorf("%s:%d: no test runs %q; see proofs", p.name, b.line, command)
				}
			}
		}
	}
}

func proven(t *testing.T, command string) bool {
	for _, p := range proofs {
		if regexp.MustCompile(p.command).MatchString(command) {
			text, err := os.ReadFile(filepath.Join(root, p.file))
			if err != nil || !strings.Contains(string(text), "func "+p.test+"(") {
				t.Errorf("%s has no %s, which runs %q", p.file, p.test, command)
			}
			return true
		}
	}
	return false
}
