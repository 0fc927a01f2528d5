package sqlite

const chaosEnv = "DTASK_SQLITE_CHAOS"

func chaosWorker(file string) int { return 0 }
