package pictures

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"os"

	"golang.org/x/image/draw"

	"github.com/dtaskhq/dtask/example/web/files"
	"github.com/dtaskhq/dtask/runtime/dtask"
)

//go:generate go tool dtaskgen

// Thumbnail renders the picture in the file original as a JPEG, in the file
// thumbnail, that fits into a square of box pixels. It returns the size. A
// picture that cannot be read is not retried.
//
//dtask:task queue=pictures retries=5 backoff=1s timeout=1m
func Thumbnail(ctx context.Context, original, thumbnail string, box int) (Size, error) {
	picture, orientation, err := load(original)
	if err != nil {
		return Size{}, dtask.Permanent(err)
	}
	if err := ctx.Err(); err != nil {
		return Size{}, err
	}
	small := orientation.apply(shrink(picture, box))
	return Size{small.Rect.Dx(), small.Rect.Dy()}, files.Save(thumbnail, func(w io.Writer) error {
		return jpeg.Encode(w, small, &jpeg.Options{Quality: 85})
	})
}

// load decodes the picture in a file, and says how it has to be turned.
func load(file string) (image.Image, orientation, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	p, err := inspect(f)
	if err != nil {
		return nil, 0, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, 0, err
	}
	picture, _, err := image.Decode(f)
	if err != nil {
		return nil, 0, fmt.Errorf("damaged picture: %w", err)
	}
	return picture, p.orientation, nil
}

// shrink scales a picture to fit into a square of box pixels, on white where
// it is transparent. A picture that fits already keeps its size.
func shrink(picture image.Image, box int) *image.RGBA {
	w, h := picture.Bounds().Dx(), picture.Bounds().Dy()
	if long := max(w, h); long > box {
		w, h = max(1, w*box/long), max(1, h*box/long)
	}
	small := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(small, small.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.CatmullRom.Scale(small, small.Rect, picture, picture.Bounds(), draw.Over, nil)
	return small
}
