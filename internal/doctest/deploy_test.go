package doctest

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/runtime/dtask"
	"github.com/dtaskhq/dtask/runtime/worker"
)

// TestDeploy gives the worker the flags of the files in docs/deploy.
func TestDeploy(t *testing.T) {
	task := dtask.Define[dtask.None, dtask.None]("mail.Purge", dtask.Spec{Queue: "mail"})
	table := dtask.Table{task.Bind(func(context.Context, dtask.None) (dtask.None, error) { return dtask.None{}, nil })}
	for file, expr := range map[string]string{
		"mailworker.service": `(?m)^ExecStart=\S+ (.*)$`,
		"kubernetes.yaml":    `(?m)args: \[(.*)\]$`,
		"crontab":            `(?m)/mailworker (.*) >/dev/null$`,
	} {
		text, err := os.ReadFile(filepath.Join(root, "docs/deploy", file))
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(expr).FindSubmatch(text)
		if m == nil {
			t.Errorf("%s names no flags", file)
			continue
		}
		flags := strings.Fields(strings.NewReplacer(",", "", `"`, "").Replace(string(m[1])))
		if code := worker.Run(append(flags, "tasks"), table); code != 0 {
			t.Errorf("%s: the worker refuses %q", file, flags)
		}
	}
}
