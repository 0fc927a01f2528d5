//go:build !unix

package worker

import "os"

// Windows has links only for those with a right of their own, and does not remove
// or rename a file that is open.
const noFollow = 0

func isLink(error) bool { return false }

func lockPidfile(*os.File) error { return nil }
