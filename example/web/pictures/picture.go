// Package pictures renders the thumbnails of pictures.
package pictures

import (
	"errors"
	"fmt"
	"image"
	_ "image/gif" // the formats that pictures may have
	_ "image/jpeg"
	_ "image/png"
	"io"
	"os"
)

// MaxPixels bounds the pictures that are decoded: a file of a few kilobytes
// can claim dimensions that fill the memory of the machine.
const MaxPixels = 40_000_000

// A Picture is what is known of a picture without decoding it.
type Picture struct {
	Format string // jpeg, png or gif
	Bytes  int64
	Size   Size

	orientation orientation
}

// A Size is the size of a picture in pixels, as it is to be looked at.
type Size struct{ Width, Height int }

// String returns the size as people write it: 640×480.
func (s Size) String() string { return fmt.Sprintf("%d×%d", s.Width, s.Height) }

// Inspect returns what is known of the picture in a file. The error is for
// people: why it is not a picture that can be shown.
func Inspect(file string) (Picture, error) {
	f, err := os.Open(file)
	if err != nil {
		return Picture{}, err
	}
	defer f.Close()
	return inspect(f)
}

func inspect(f io.ReadSeeker) (p Picture, err error) {
	config, format, err := image.DecodeConfig(f)
	if errors.Is(err, image.ErrFormat) {
		return p, errors.New("not a JPEG, PNG or GIF picture")
	}
	if err != nil {
		return p, fmt.Errorf("damaged picture: %w", err)
	}
	p.Format, p.Size = format, Size{config.Width, config.Height}
	if int64(p.Size.Width)*int64(p.Size.Height) > MaxPixels {
		return p, fmt.Errorf("%v are too many pixels; the limit is %d million", p.Size, MaxPixels/1_000_000)
	}
	if p.orientation, err = readOrientation(f); err != nil {
		return p, err
	}
	if p.orientation.swapsAxes() {
		p.Size = Size{p.Size.Height, p.Size.Width}
	}
	p.Bytes, err = f.Seek(0, io.SeekEnd)
	return p, err
}
