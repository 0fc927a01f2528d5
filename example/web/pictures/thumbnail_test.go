package pictures

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"testing"
)

// However the camera was held, the thumbnail is upright. The picture is red at
// the upper left and blue at the upper right when it is looked at; for each
// orientation, this is where the camera stored these corners (Exif 3.0, section
// 4.6.5.1.6).
func TestThumbnailIsUpright(t *testing.T) {
	const w, h = 64, 32 // as looked at
	for orientation, stored := range map[uint16]struct{ red, blue string }{
		1: {"upper left", "upper right"},
		2: {"upper right", "upper left"},
		3: {"lower right", "lower left"},
		4: {"lower left", "lower right"},
		5: {"upper left", "lower left"},
		6: {"lower left", "upper left"},
		7: {"lower right", "upper right"},
		8: {"upper right", "lower right"},
	} {
		for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
			t.Run(fmt.Sprint(orientation, order), func(t *testing.T) {
				size := image.Pt(w, h)
				if orientation >= 5 {
					size = image.Pt(h, w)
				}
				photo := image.NewRGBA(image.Rectangle{Max: size})
				fill(photo, stored.red, color.RGBA{200, 0, 0, 255})
				fill(photo, stored.blue, color.RGBA{0, 0, 200, 255})

				original := filepath.Join(t.TempDir(), "photo.jpg")
				writeJPEG(t, original, photo, exif(order, orientation))
				thumbnail := filepath.Join(t.TempDir(), "thumbnail.jpg")
				got, err := Thumbnail(t.Context(), original, thumbnail, w)
				if want := (Size{Width: w, Height: h}); got != want || err != nil {
					t.Fatalf("size %v, %v; want %v", got, err, want)
				}
				picture := readJPEG(t, thumbnail)
				if r, _, b, _ := picture.At(w/4, h/4).RGBA(); r < 0x8000 || b > 0x4000 {
					t.Errorf("upper left: red %x, blue %x; want red", r, b)
				}
				if r, _, b, _ := picture.At(w*3/4, h/4).RGBA(); b < 0x8000 || r > 0x4000 {
					t.Errorf("upper right: red %x, blue %x; want blue", r, b)
				}
			})
		}
	}
}

// fill colours a quarter of a picture.
func fill(m *image.RGBA, corner string, c color.RGBA) {
	quarter := image.Rect(0, 0, m.Rect.Dx()/2, m.Rect.Dy()/2)
	switch corner {
	case "upper right":
		quarter = quarter.Add(image.Pt(quarter.Dx(), 0))
	case "lower left":
		quarter = quarter.Add(image.Pt(0, quarter.Dy()))
	case "lower right":
		quarter = quarter.Add(quarter.Max)
	}
	for y := quarter.Min.Y; y < quarter.Max.Y; y++ {
		for x := quarter.Min.X; x < quarter.Max.X; x++ {
			m.SetRGBA(x, y, c)
		}
	}
}

// exif returns a segment with EXIF data of one tag.
func exif(order binary.AppendByteOrder, orientation uint16) []byte {
	mark := "MM"
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		mark = "II"
	}
	b := append([]byte("Exif\x00\x00"), mark...)
	b = order.AppendUint16(b, 42)
	b = order.AppendUint32(b, 8) // where the directory is
	b = order.AppendUint16(b, 1) // entries
	b = order.AppendUint16(b, 0x0112)
	b = order.AppendUint16(b, 3) // type: short
	b = order.AppendUint32(b, 1) // count
	b = order.AppendUint16(b, orientation)
	b = append(b, 0, 0, 0, 0, 0, 0)
	return append(binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(b)+2)), b...)
}

func writeJPEG(t *testing.T, file string, picture image.Image, segment []byte) {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, nil); err != nil {
		t.Fatal(err)
	}
	data := append(append(b.Bytes()[:2:2], segment...), b.Bytes()[2:]...)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func readJPEG(t *testing.T, file string) image.Image {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	picture, err := jpeg.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

// Whatever is uploaded, it is looked at without a panic.
func FuzzInspect(f *testing.F) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 1, 1)), nil); err != nil {
		f.Fatal(err)
	}
	for _, order := range []binary.AppendByteOrder{binary.BigEndian, binary.LittleEndian} {
		f.Add(append(append(b.Bytes()[:2:2], exif(order, 6)...), b.Bytes()[2:]...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := inspect(bytes.NewReader(data)); err == nil && int64(p.Size.Width)*int64(p.Size.Height) > MaxPixels {
			t.Errorf("%v passes", p.Size)
		}
	})
}
