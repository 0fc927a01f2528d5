// Package spelling finds the word that was meant by a misspelt one.
package spelling

// Nearest returns the word that was probably meant by got, or "" if none is
// near: one that differs in less than half of its letters.
func Nearest(got string, words []string) string {
	best, bestDistance := "", max(2, len(got)/2+1)
	for _, w := range words {
		if d := distance(got, w); d < bestDistance {
			best, bestDistance = w, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to make a into b: the restricted Damerau-Levenshtein
// distance (https://en.wikipedia.org/wiki/Damerau–Levenshtein_distance).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
