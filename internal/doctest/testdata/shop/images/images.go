// Package images is what the snippets of the pages mean by it.
package images

import "context"

//dtask:task queue=images
func Resize(ctx context.Context, file string, width int) error { return nil }
