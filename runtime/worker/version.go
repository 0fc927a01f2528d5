package worker

import (
	"fmt"
	"runtime/debug"
)

// version says which build this is.
func version(name string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return name
	}
	text := fmt.Sprintf("%s %s %s", name, info.Main.Version, info.GoVersion)
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == "github.com/dtaskhq/dtask" && m != &info.Main {
			text += " dtask " + m.Version
		}
	}
	return text
}
