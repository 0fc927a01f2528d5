package sqlite

// chunks are how many rows one statement inserts or deletes, where there are
// many.
var chunks = [...]int{64, 32, 16, 8, 4, 2, 1}

// chunkOf returns the largest chunk of n rows, n > 0.
func chunkOf(n int) int {
	for _, size := range chunks {
		if size <= n {
			return size
		}
	}
	panic("no rows")
}

// chunkSQL returns a statement for each chunk.
func chunkSQL(sql func(n int) string) map[int]string {
	m := make(map[int]string)
	for _, n := range chunks {
		m[n] = sql(n)
	}
	return m
}
