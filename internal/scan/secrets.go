package scan

import (
	"fmt"
	"go/types"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/internal/diagnostic"
	"github.com/dtaskhq/dtask/internal/directive"
	"github.com/dtaskhq/dtask/internal/spelling"
)

// secret returns the names of the parameters that are secret.
func (t *Task) secret() []string {
	names, _ := t.Options.Get(directive.Secret).(directive.Names)
	return names
}

// secrets reports what is wrong with the parameters that the directive calls secret,
// and whether nothing is. own is the struct that is the arguments, or nil.
func (p *packageScan) secrets(t *Task, own *types.TypeName) bool {
	failures := p.Len()
	var names []string
	for _, param := range t.Params {
		names = append(names, param.Name)
	}
	for i, name := range t.secret() {
		switch {
		case own != nil:
			p.Report(t.Pos, diagnostic.Option, `tag its secret fields with dtask:"secret"`,
				"%s: secret=%s names a parameter, and the fields of %s are the arguments", t.Function(), name, own.Name())
		case slices.Contains(t.secret()[:i], name):
			p.Report(t.Pos, diagnostic.Option, "name it once", "%s: secret names %s twice", t.Function(), name)
		case !slices.Contains(names, name):
			hint := "the parameters are " + strings.Join(names, ", ")
			if near := spelling.Nearest(name, names); near != "" {
				hint = fmt.Sprintf("did you mean %s?", near)
			} else if len(names) == 0 {
				hint = "it has none"
			}
			p.Report(t.Pos, diagnostic.Option, hint, "%s: secret=%s names no parameter", t.Function(), name)
		}
	}
	return p.Len() == failures
}
