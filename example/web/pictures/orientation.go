package pictures

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"image"
	"io"
)

// An orientation is the EXIF orientation of a photo: how the camera was held.
// 1 and 0 (unknown) are upright; see Exif 3.0, section 4.6.5.1.6.
type orientation uint16

// swapsAxes reports whether the photo is on its side.
func (o orientation) swapsAxes() bool { return o >= 5 && o <= 8 }

// apply returns the picture upright.
func (o orientation) apply(src *image.RGBA) *image.RGBA {
	if o < 2 || o > 8 {
		return src
	}
	w, h := src.Rect.Dx(), src.Rect.Dy()
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	if o.swapsAxes() {
		dst = image.NewRGBA(image.Rect(0, 0, h, w))
	}
	for y := range h {
		for x := range w {
			right, bottom := w-1-x, h-1-y
			to := [...]image.Point{
				2: {right, y}, 3: {right, bottom}, 4: {x, bottom},
				5: {y, x}, 6: {bottom, x}, 7: {bottom, right}, 8: {y, right},
			}[o]
			dst.SetRGBA(to.X, to.Y, src.RGBAAt(x, y))
		}
	}
	return dst
}

// readOrientation returns the orientation of the picture in f, or 0 if it
// states none: only JPEG files of cameras do. It walks the segments before the
// pixels for the one that holds EXIF data.
func readOrientation(f io.ReadSeeker) (orientation, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	r := bufio.NewReader(f)
	start := make([]byte, 2)
	if _, err := io.ReadFull(r, start); err != nil || !bytes.Equal(start, []byte{0xff, 0xd8}) {
		return 0, nil
	}
	for {
		var head struct{ Marker, Length uint16 }
		err := binary.Read(r, binary.BigEndian, &head)
		if err != nil || head.Length < 2 || head.Marker < 0xffe0 || head.Marker > 0xffef {
			return 0, nil // application segments come first; after them there is no EXIF data
		}
		data := make([]byte, head.Length-2)
		if _, err := io.ReadFull(r, data); err != nil {
			return 0, nil
		}
		if tiff, ok := bytes.CutPrefix(data, []byte("Exif\x00\x00")); ok && head.Marker == 0xffe1 {
			return tiffOrientation(tiff), nil
		}
	}
}

// tiffOrientation looks for the tag in the first directory of a TIFF header.
func tiffOrientation(tiff []byte) orientation {
	if len(tiff) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.BigEndian
	if string(tiff[:2]) == "II" {
		order = binary.LittleEndian
	}
	directory := order.Uint32(tiff[4:])
	if uint64(directory)+2 > uint64(len(tiff)) {
		return 0
	}
	entries := tiff[directory+2:]
	for range order.Uint16(tiff[directory:]) {
		if len(entries) < 12 {
			break
		}
		const orientationTag = 0x0112
		if order.Uint16(entries) == orientationTag {
			return orientation(order.Uint16(entries[8:]))
		}
		entries = entries[12:]
	}
	return 0
}
