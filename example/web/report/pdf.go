package report

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/dtaskhq/dtask/example/web/pictures"
)

// The layout of a page: A4, in points of 1/72 inch from the lower left corner.
const (
	pageWidth, pageHeight = 595, 842
	margin                = 56
	rowHeight             = 84
	imageWidth            = 110
	imageHeight           = 72
	rowsPerPage           = 8
)

// writePDF writes the report as a PDF document (ISO 32000-1): the lines below
// each other, each with its thumbnail.
func writePDF(w io.Writer, date string, lines []line) error {
	d := newDocument()
	pages := slices.Collect(slices.Chunk(lines, rowsPerPage))
	for i, rows := range pages {
		p := d.newPage()
		y := pageHeight - margin - 10
		p.text("F2", 20, margin, y, "Report on pictures")
		p.text("F1", 10, margin, y-18, date)
		p.text("F1", 8, pageWidth-margin-50, margin-24, fmt.Sprintf("Page %d of %d", i+1, len(pages)))
		for j, l := range rows {
			if err := p.row(y-36-(j+1)*rowHeight, l); err != nil {
				return err
			}
		}
		d.addPage(p)
	}
	return d.finish(w)
}

// row draws a line of the report with its lower edge at y.
func (p *page) row(y int, l line) error {
	fmt.Fprintf(&p.content, "0.85 G 0.5 w %d %d m %d %d l S\n", margin, y+rowHeight-4, pageWidth-margin, y+rowHeight-4)
	if l.thumbnail != "" {
		if err := p.jpeg(l.thumbnail, l.small, margin, y+4, imageWidth, imageHeight); err != nil {
			return err
		}
	}
	const left = margin + imageWidth + 20
	p.text("F2", 12, left, y+54, l.name)
	if l.picture.Format != "" {
		p.text("F1", 10, left, y+36, fmt.Sprintf("%v pixels, %s, %.0f kB", l.picture.Size, strings.ToUpper(l.picture.Format), float64(l.picture.Bytes)/1000))
	}
	p.text("F1", 10, left, y+20, l.problem)
	return nil
}

// The objects that others refer to before they are written.
const (
	catalogObject = iota + 1
	pagesObject
	regularObject
	boldObject
)

// A document is a PDF file in the making: numbered objects, whose offsets the
// table at its end lists.
type document struct {
	buf     bytes.Buffer
	offsets map[int]int
	pages   []int
}

func newDocument() *document {
	d := &document{offsets: make(map[int]int)}
	d.buf.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n") // the second line marks the file as binary
	const font = "<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>"
	d.object(regularObject, font, "Helvetica")
	d.object(boldObject, font, "Helvetica-Bold")
	return d
}

// next returns the number of the next new object. The catalog and the list of
// pages have their numbers already, and are written last.
func (d *document) next() int { return len(d.offsets) + pagesObject + 1 }

func (d *document) object(n int, format string, args ...any) {
	d.offsets[n] = d.buf.Len()
	fmt.Fprintf(&d.buf, "%d 0 obj\n"+format+"\nendobj\n", append([]any{n}, args...)...)
}

func (d *document) stream(n int, dict string, data []byte) {
	d.object(n, "<< %s /Length %d >>\nstream\n%s\nendstream", dict, len(data), data)
}

// finish writes the document.
func (d *document) finish(w io.Writer) error {
	var kids strings.Builder
	for _, n := range d.pages {
		fmt.Fprintf(&kids, "%d 0 R ", n)
	}
	d.object(pagesObject, "<< /Type /Pages /Kids [ %s] /Count %d >>", kids.String(), len(d.pages))
	d.object(catalogObject, "<< /Type /Catalog /Pages %d 0 R >>", pagesObject)

	table, size := d.buf.Len(), len(d.offsets)+1
	fmt.Fprintf(&d.buf, "xref\n0 %d\n0000000000 65535 f \n", size)
	for n := 1; n < size; n++ {
		fmt.Fprintf(&d.buf, "%010d 00000 n \n", d.offsets[n])
	}
	fmt.Fprintf(&d.buf, "trailer\n<< /Size %d /Root %d 0 R >>\nstartxref\n%d\n%%%%EOF\n", size, catalogObject, table)
	_, err := d.buf.WriteTo(w)
	return err
}

// A page collects what is drawn on it.
type page struct {
	document *document
	content  bytes.Buffer
	images   strings.Builder // entries of the resource dictionary
}

func (d *document) newPage() *page { return &page{document: d} }

// addPage adds a page that is complete.
func (d *document) addPage(p *page) {
	content := d.next()
	d.stream(content, "", p.content.Bytes())
	n := d.next()
	d.object(n, "<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R "+
		"/Resources << /Font << /F1 %d 0 R /F2 %d 0 R >> /XObject << %s>> >> >>",
		pagesObject, pageWidth, pageHeight, content, regularObject, boldObject, p.images.String())
	d.pages = append(d.pages, n)
}

// text draws one line of text in font F1 or F2, cut to what fits.
func (p *page) text(font string, size, x, y int, s string) {
	fmt.Fprintf(&p.content, "BT /%s %d Tf %d %d Td (%s) Tj ET\n", font, size, x, y, winAnsi(s, (pageWidth-margin-x)*2/size))
}

// winAnsi returns at most limit characters of s as the content of a PDF string
// in the encoding of the standard fonts, which have Latin letters only.
func winAnsi(s string, limit int) []byte {
	var b []byte
	for _, r := range s {
		switch {
		case limit == 0:
			return b
		case r == '(' || r == ')' || r == '\\':
			b = append(b, '\\', byte(r))
		case r >= ' ' && r <= '~' || r >= 0xa0 && r <= 0xff:
			b = append(b, byte(r))
		default:
			b = append(b, '?')
		}
		limit--
	}
	return b
}

// jpeg draws a JPEG file as large as it fits into a box, at its left and in
// the middle of its height. PDF knows JPEG: the file is taken as it is.
func (p *page) jpeg(file string, size pictures.Size, x, y, width, height int) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	n := p.document.next()
	p.document.stream(n, fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d "+
		"/ColorSpace /DeviceRGB /BitsPerComponent 8 /Filter /DCTDecode", size.Width, size.Height), data)
	scale := min(float64(width)/float64(size.Width), float64(height)/float64(size.Height))
	w, h := scale*float64(size.Width), scale*float64(size.Height)
	fmt.Fprintf(&p.images, "/I%d %d 0 R ", n, n)
	fmt.Fprintf(&p.content, "q %.2f 0 0 %.2f %d %.2f cm /I%d Do Q\n", w, h, x, float64(y)+(float64(height)-h)/2, n)
	return nil
}
