package telemetry_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Who does not ask for telemetry links none of it.
func TestNothingIsLinkedUnasked(t *testing.T) {
	t.Parallel()
	const runtime = "github.com/dtaskhq/dtask/runtime/"
	for _, c := range []struct {
		packages string
		without  []string
	}{
		{"dtask worker sqlite postgres rabbitmq operate dtasktest", []string{"go.opentelemetry.io/", "github.com/prometheus/", "google.golang.org/"}},
		{"telemetry/metrics", []string{"go.opentelemetry.io/"}},
		{"telemetry", []string{"github.com/prometheus/", "go.opentelemetry.io/otel/sdk", "google.golang.org/"}},
	} {
		args := []string{"list", "-deps"}
		for p := range strings.FieldsSeq(c.packages) {
			args = append(args, runtime+p)
		}
		deps, err := exec.Command("go", args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		for dep := range strings.Lines(string(deps)) {
			for _, no := range c.without {
				if strings.HasPrefix(dep, no) {
					t.Errorf("%s links %s", c.packages, dep)
				}
			}
		}
	}
}
