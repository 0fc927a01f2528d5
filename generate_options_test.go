package generate_test

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/dtaskhq/dtask/internal/directive"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

// The generator does not import the runtime, so no compiler compares the two.
func TestOptionsAreFieldsOfSpec(t *testing.T) {
	spec := reflect.TypeFor[dtask.Spec]()
	next := 0
	for _, o := range directive.Options {
		if o.Field == "" {
			continue
		}
		field, ok := spec.FieldByName(o.Field)
		if !ok {
			t.Errorf("option %s: dtask.Spec has no field %s", o.Key, o.Field)
			continue
		}
		if field.Index[0] < next {
			t.Errorf("option %s: the options are not in the order of the fields", o.Key)
		}
		next = field.Index[0]
	}
}

func TestEveryOptionIsDocumented(t *testing.T) {
	text, err := os.ReadFile("docs/tasks.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range directive.Options {
		want := o.Key + "=" // in the form of its directive
		if o.Directive == directive.Task {
			want = fmt.Sprintf("\n| `%s` | ", o.Key)
			if o.Default != "" {
				want += fmt.Sprintf("`%s` | ", o.Default)
			}
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("docs/tasks.md has no %q", want)
		}
	}
}
