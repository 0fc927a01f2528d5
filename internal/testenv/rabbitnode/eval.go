package rabbitnode

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// Eval evaluates an Erlang expression, without the final dot, in the node and
// returns what it yields. It costs a hundredth of Ctl, which starts an Erlang
// system of its own. The program erl_call, which is part of Erlang, only speaks its
// protocol.
func (n *Node) Eval(ctx context.Context, expression string) (string, error) {
	erlCall, err := exec.LookPath("erl_call")
	if err != nil {
		return n.Ctl(ctx, "eval", expression+".")
	}
	// The node refuses two that come under the same name, as they do by default.
	cmd := exec.CommandContext(ctx, erlCall, "-h", "eval-"+rand.Text(), "-n", n.name, "-e")
	cmd.Env = n.environ()
	cmd.Dir = "/"
	cmd.Stdin = strings.NewReader(expression + ".\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("erl_call: %w\n%s\n%s", err, expression, out)
	}
	value, ok := strings.CutPrefix(strings.TrimSpace(string(out)), "{ok, ")
	if !ok {
		return "", fmt.Errorf("%s: %w", expression, errors.New(value))
	}
	return strings.TrimSuffix(value, "}"), nil
}
