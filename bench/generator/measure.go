package generator

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/dtaskhq/dtask/bench/usage"
)

// A subject is a program that is measured.
type subject struct {
	name   string
	dir    string
	args   []string     // the command line
	before func() error // not measured
	check  func() error // not measured: that the work was done
}

// A run is what it took.
type run struct {
	took time.Duration
	cpu  time.Duration // of the program and its children
	peak int64         // resident memory of the largest of these, in bytes
}

// run runs a subject once.
func (s *subject) run(ctx context.Context, env []string) (run, error) {
	if s.before != nil {
		if err := s.before(); err != nil {
			return run{}, err
		}
	}
	cmd := exec.CommandContext(ctx, s.args[0], s.args[1:]...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return run{}, fmt.Errorf("%s: %w\n%.2000s", s.name, err, stderr.Bytes())
	}
	r := run{
		took: time.Since(start),
		cpu:  cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		peak: usage.Peak(cmd.ProcessState),
	}
	if s.check != nil {
		if err := s.check(); err != nil {
			return run{}, fmt.Errorf("%s did not do its work: %w", s.name, err)
		}
	}
	return r, nil
}

// median returns the medians of times, and the largest peak.
func median(runs []run) run {
	var m run
	var took, cpu []time.Duration
	for _, r := range runs {
		took, cpu = append(took, r.took), append(cpu, r.cpu)
		m.peak = max(m.peak, r.peak)
	}
	slices.Sort(took)
	slices.Sort(cpu)
	m.took, m.cpu = took[len(took)/2], cpu[len(cpu)/2]
	return m
}
