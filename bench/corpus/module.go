package corpus

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A module is a copy of a public module that uses dtask.
type module struct {
	path, version string
	dir           string // the copy
	generator     string // the binary of dtaskgen
	dtask         string // the directory of the dtask module
}

// prepare downloads the module and copies it to a place where it can be
// changed. The copy requires dtask.
func (m *module) prepare(ctx context.Context) error {
	out, err := m.goCommand(ctx, os.TempDir(), "mod", "download", "-json", m.path+"@"+m.version)
	var downloaded struct{ Dir, Error string }
	if json.Unmarshal(out, &downloaded) == nil && downloaded.Error != "" {
		err = errors.New(downloaded.Error)
	}
	if err != nil {
		return err
	}
	if err := os.CopyFS(m.dir, os.DirFS(downloaded.Dir)); err != nil {
		return err
	}
	_, err = m.goCommand(ctx, m.dir, "mod", "edit",
		"-require=github.com/dtaskhq/dtask@v0.0.0", "-replace=github.com/dtaskhq/dtask="+m.dtask)
	return err
}

// goCommand runs the go command in a directory and returns its output.
func (m *module) goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = dir, environment()
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("go %s: %w\n%s", args[0], err, exit.Stderr)
	}
	return out, err
}

// environment lets the go command add what dtask needs to the go.mod and
// go.sum of a copy.
func environment() []string {
	return append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
}

// files returns the source files of the module that the build on this machine
// chooses.
func (m *module) files(ctx context.Context) ([]string, error) {
	out, err := m.goCommand(ctx, m.dir, "list", "-f",
		`{{range .GoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}{{range .CgoFiles}}{{$.Dir}}/{{.}}{{"\n"}}{{end}}`, "./...")
	return strings.Fields(string(out)), err
}

// mark puts a directive above every function that could be a task.
func (m *module) mark(ctx context.Context) ([]*mark, error) {
	files, err := m.files(ctx)
	if err != nil {
		return nil, err
	}
	var marks []*mark
	for _, f := range files {
		ms, err := markFile(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		marks = append(marks, ms...)
	}
	return marks, nil
}

// A diagnostic is a line of dtaskgen -json.
type diagnostic struct {
	File     string
	Line     int
	Severity string
	Code     string
	Message  string
}

// A crashError is an end of dtaskgen that is neither success nor a list of
// diagnostics.
type crashError struct {
	exit   int
	output string
}

func (e *crashError) Error() string { return fmt.Sprintf("exit status %d\n%s", e.exit, e.output) }

// generate runs dtaskgen on the whole module and returns what it objects to.
func (m *module) generate(ctx context.Context, flags ...string) ([]diagnostic, error) {
	cmd := exec.CommandContext(ctx, m.generator, append(flags, "-json", "./...")...)
	cmd.Dir, cmd.Env = m.dir, environment()
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if cmd.ProcessState == nil {
		return nil, err
	}
	var diags []diagnostic
	lines := bufio.NewScanner(bytes.NewReader(stderr.Bytes()))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var d diagnostic
		if json.Unmarshal(lines.Bytes(), &d) != nil {
			return nil, &crashError{cmd.ProcessState.ExitCode(), stderr.String()}
		}
		if d.Severity != "warning" {
			d.File = m.absolute(d.File)
			diags = append(diags, d)
		}
	}
	if code := cmd.ProcessState.ExitCode(); code != 0 && (code != 1 || len(diags) == 0) {
		return nil, &crashError{code, stderr.String()}
	}
	return diags, nil
}

func (m *module) absolute(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(m.dir, file)
}

// generated returns the directories of the packages that have generated files.
func (m *module) generated(marks []*mark) []string {
	var dirs []string
	for _, k := range marks {
		if k.refused == "" {
			dirs = append(dirs, k.dir)
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// compile compiles the packages in dirs and returns those that do not compile,
// by import path, with what the compiler says.
func (m *module) compile(ctx context.Context, dirs []string) (map[string]string, error) {
	args := []string{"list", "-e", "-export", "-gcflags=-e", "-json=ImportPath,Error"}
	for _, d := range dirs {
		rel, err := filepath.Rel(m.dir, d)
		if err != nil {
			return nil, err
		}
		args = append(args, "./"+filepath.ToSlash(rel))
	}
	out, err := m.goCommand(ctx, m.dir, args...)
	if err != nil {
		return nil, err
	}
	broken := make(map[string]string)
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p struct {
			ImportPath string
			Error      *struct{ Err string }
		}
		if err := d.Decode(&p); err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if p.Error != nil {
			broken[p.ImportPath] = p.Error.Err
		}
	}
	return broken, nil
}
