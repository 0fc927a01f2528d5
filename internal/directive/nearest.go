package directive

import (
	"strings"

	"github.com/dtaskhq/dtask/internal/spelling"
)

// nearest returns the word that was probably meant by got, or "" if none is
// near. A word is near if it differs in less than half of its letters, or else if
// it begins with the same four.
func nearest(got string, words []string) string {
	best := spelling.Nearest(got, words)
	if best != "" || len(got) < 4 {
		return best
	}
	for _, w := range words {
		if strings.HasPrefix(w, got[:4]) {
			return w
		}
	}
	return ""
}
