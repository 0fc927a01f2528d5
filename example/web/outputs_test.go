package web

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"image"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// testPictures are the files to try the example on.
func testPictures(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*")
	if err != nil || len(files) != 4 {
		t.Fatalf("%d test pictures, %v", len(files), err)
	}
	return files
}

// checkOnce checks what once says it has made of the test pictures.
func checkOnce(t *testing.T, stdout string) {
	t.Helper()
	size := map[string]image.Point{
		"lighthouse.jpg": {213, 320}, // lies on its side in the file
		"mountains.jpg":  {320, 213},
		"planet.png":     {320, 320},
		"waves.gif":      {320, 240},
	}
	for name, want := range size {
		picture := decode(t, output(t, stdout, "thumbnail", name))
		if got := picture.Bounds().Size(); got != want {
			t.Errorf("thumbnail of %s has %v pixels, want %v", name, got, want)
		}
	}
	// The lamp of the lighthouse is in its upper half, and what is transparent
	// has become white.
	if r, _, b, _ := decode(t, output(t, stdout, "thumbnail", "lighthouse.jpg")).At(106, 92).RGBA(); r < 0xc000 || b > r {
		t.Errorf("the lighthouse is not upright: red %x, blue %x where the lamp should be", r, b)
	}
	if r, g, b, _ := decode(t, output(t, stdout, "thumbnail", "planet.png")).At(2, 2).RGBA(); min(r, g, b) < 0xfc00 {
		t.Errorf("transparent corner became %x %x %x, want white", r, g, b)
	}

	pdf := output(t, stdout, "report", "")
	checkPDF(t, pdf, len(size))
	table := strings.TrimSuffix(pdf, ".pdf") + ".csv"
	checkCSV(t, table)
	checkMail(t, read(t, output(t, stdout, "mail", "")), pdf, table)
	if !strings.Contains(stdout, "all 6 tasks done in ") {
		t.Errorf("no summary in\n%s", stdout)
	}
}

// output returns the file that once names in the line about a task.
func output(t *testing.T, stdout, task, of string) string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^done +` + task + ` +` + regexp.QuoteMeta(of) + `.* [0-9.]+[µm]?s  (.+?)( \(\d+×\d+\))?$`)
	m := line.FindStringSubmatch(stdout)
	if m == nil {
		t.Fatalf("no line that %s %s is done, in\n%s", task, of, stdout)
	}
	return m[1]
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decode(t *testing.T, file string) image.Image {
	t.Helper()
	picture, format, err := image.Decode(bytes.NewReader(read(t, file)))
	if err != nil || format != "jpeg" {
		t.Fatalf("%s: format %q, %v", file, format, err)
	}
	return picture
}

func checkCSV(t *testing.T, file string) {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(read(t, file))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"picture", "format", "width", "height", "bytes", "thumbnail", "problem"},
		{"lighthouse.jpg", "jpeg", "600", "900", "43329", "213×320", ""},
		{"mountains.jpg", "jpeg", "1200", "800", "43704", "320×213", ""},
		{"planet.png", "png", "640", "640", "74362", "320×320", ""},
		{"waves.gif", "gif", "360", "270", "143369", "320×240", ""},
	}
	if !slices.EqualFunc(rows, want, slices.Equal) {
		t.Errorf("table\n%q\nwant\n%q", rows, want)
	}
}

// checkPDF checks that the table at the end of the file finds every object,
// as a reader would, and counts the pictures.
func checkPDF(t *testing.T, file string, pictures int) {
	t.Helper()
	pdf := read(t, file)
	tail := regexp.MustCompile(`startxref\n(\d+)\n%%EOF\n$`).FindSubmatch(pdf)
	if tail == nil || !bytes.HasPrefix(pdf, []byte("%PDF-1.4\n")) {
		t.Fatalf("%s is no PDF file", file)
	}
	start, _ := strconv.Atoi(string(tail[1]))
	entries := regexp.MustCompile(`(\d{10}) 00000 n \n`).FindAllSubmatch(pdf[start:], -1)
	for i, e := range entries {
		offset, _ := strconv.Atoi(string(e[1]))
		if head := []byte(strconv.Itoa(i+1) + " 0 obj\n"); !bytes.HasPrefix(pdf[offset:], head) {
			t.Errorf("no object %d at offset %d", i+1, offset)
		}
	}
	if want := 2 + 2 + 2 + pictures; len(entries) != want { // catalog, pages; fonts; the page, its content; pictures
		t.Errorf("%d objects, want %d", len(entries), want)
	}
	if got := bytes.Count(pdf, []byte("/Filter /DCTDecode")); got != pictures {
		t.Errorf("%d pictures, want %d", got, pictures)
	}
}

// checkMail checks that a mail carries files.
func checkMail(t *testing.T, message []byte, files ...string) {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	to, err := m.Header.AddressList("To")
	if err != nil || to[0].Address != "you@example.com" {
		t.Errorf("to %v, %v", to, err)
	}
	if _, err := m.Header.Date(); err != nil {
		t.Error(err)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" {
		t.Fatalf("type %q, %v", kind, err)
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	text, err := parts.NextPart()
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(text); err != nil || !strings.Contains(string(body), "Here is the report") {
		t.Errorf("text %q, %v", body, err)
	}
	for _, file := range files {
		part, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, part))
		if err != nil || part.FileName() != filepath.Base(file) || !bytes.Equal(body, read(t, file)) {
			t.Errorf("attachment %q of %d bytes differs from %s, %v", part.FileName(), len(body), file, err)
		}
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("after the last attachment: %v", err)
	}
}
