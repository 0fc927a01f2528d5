package console

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/dtaskhq/dtask/internal/printable"
	"github.com/dtaskhq/dtask/runtime/broker"
	"github.com/dtaskhq/dtask/runtime/operate"
)

// inEditor lets the operator edit the arguments of a message, in a file that nobody
// else can read. It returns them, and the file, which is left to the caller.
func (p *Program) inEditor(ctx context.Context, m broker.Stored, fields []string, mask *operate.Mask) (arguments []byte, file string, err error) {
	fallback := "vi"
	if runtime.GOOS == "windows" {
		fallback = "notepad"
	}
	command := strings.Fields(cmp.Or(p.Getenv("VISUAL"), p.Getenv("EDITOR"), fallback))
	if len(command) == 0 {
		return nil, "", errors.New("EDITOR names no program")
	}
	dir, err := os.MkdirTemp("", "dtask-") // of the user alone
	if err != nil {
		return nil, "", err
	}
	file = filepath.Join(dir, "arguments.json")
	draft := mask.Draft(m.Message)
	before := editable(m, draft, fields)
	if err := os.WriteFile(file, before, 0o600); err != nil {
		return nil, "", err
	}
	editor := exec.CommandContext(ctx, command[0], append(command[1:], file)...)
	editor.Stdin, editor.Stdout, editor.Stderr = p.In, p.Out, p.Err
	if err := editor.Run(); err != nil {
		return nil, "", fmt.Errorf("editor %s: %w; nothing was stored, and the text is in %s", command[0], err, file)
	}
	after, err := os.ReadFile(file)
	if err != nil {
		return nil, "", err
	}
	if bytes.Equal(before, after) {
		return m.Message.Body, file, nil
	}
	if arguments, err = draft.Arguments(withoutComments(after)); err != nil {
		return nil, "", fmt.Errorf("nothing was stored: %w; your text is in %s", err, file)
	}
	return arguments, file, nil
}

// editable returns the text for the editor: what is edited, in comments, and the
// arguments. What an editor would not show is escaped, which means the same in JSON.
func editable(m broker.Stored, draft *operate.Draft, fields []string) []byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "# The arguments of %s, a %s message of queue %s,\n# %s.\n", cell(m.Message.Task), m.State, cell(m.Message.Queue), cell(m.Message.ID))
	if n := len(m.Message.Failures); n > 0 {
		fmt.Fprintf(&text, "# It failed: %s\n", cell(m.Message.Failures[n-1].Error))
	}
	text.WriteString("# They are a JSON object. Lines that begin with # do not count.\n")
	if draft.Mark != "" {
		fmt.Fprintf(&text, "# %s stands for a secret. Leave it to keep that, or write another.\n", draft.Mark)
	}
	if len(fields) > 0 {
		text.WriteString("# They are stored only if they are of these types:\n#\n")
	}
	for _, line := range fields {
		fmt.Fprintf(&text, "#   %s\n", printable.Text(line, ""))
	}
	text.Write(withoutControls(draft.Text))
	text.WriteByte('\n')
	return text.Bytes()
}

// withoutComments drops the lines that begin with #. No line inside of JSON does.
func withoutComments(text []byte) []byte {
	var kept []byte
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) {
			kept = append(kept, line...)
		}
	}
	return kept
}

// removeText removes the file and its directory.
func removeText(file string) { os.RemoveAll(filepath.Dir(file)) }
