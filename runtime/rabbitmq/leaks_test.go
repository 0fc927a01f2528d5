package rabbitmq_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strings"
	"testing"
)

// noLeaks checks that no goroutine outlives the test. It is called first. Other tests
// may run at the same time: goroutines are told apart by a label, which those that
// start them hand on.
func noLeaks(t *testing.T) {
	t.Helper()
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("test", t.Name())))
	t.Cleanup(func() {
		pprof.SetGoroutineLabels(context.Background()) // this one ends in a moment
		eventually(t, func() string {
			if left := labelled(t); len(left) > 0 {
				return fmt.Sprintf("goroutines outlive the test:\n%s", strings.Join(left, "\n"))
			}
			return ""
		})
	})
}

// labelled returns the stacks of the goroutines that have the label of a test.
func labelled(t *testing.T) (stacks []string) {
	t.Helper()
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Fatal(err)
	}
	label := fmt.Sprintf(`"test":%q`, t.Name())
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, label) {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}
