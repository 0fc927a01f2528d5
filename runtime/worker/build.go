package worker

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/dtaskhq/dtask/runtime/broker"
)

// build says which program this is.
func build() (b broker.Build) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Module, b.Version, b.Go = info.Main.Path, info.Main.Version, info.GoVersion
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == "github.com/dtaskhq/dtask" {
			b.Runtime = m.Version
		}
	}
	if b.Revision == "" || b.Modified {
		b.Program = programFile()
	}
	return b
}

// programFile tells programs apart that the version control does not, as those that are
// built in a container without it. It is empty if the file cannot be read.
func programFile() string {
	path, err := os.Executable()
	if err != nil {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return fmt.Sprintf("file:%.4x", h.Sum(nil))
}
