package lock

import "slices"

// Prune forgets the versions that were left before a day, and the tasks that were gone
// by then, those excepted for which keep says so. A version that is kept keeps those
// after it, as an upcaster may lead through them. only says which tasks are looked at,
// besides those that are gone. It returns how many versions and tasks it has forgotten.
func (l *Lock) Prune(before string, only func(task string) bool, keep func(t *Task, fingerprint string) bool) int {
	pruned := 0
	l.Tasks = slices.DeleteFunc(l.Tasks, func(t *Task) bool {
		switch {
		case t.Gone != "":
			kept := slices.ContainsFunc(slices.Concat(t.Args, t.Result), func(v *Version) bool { return keep(t, v.Fingerprint) })
			if kept || t.Gone >= before {
				return false
			}
			pruned++
			return true
		case only(t.Name):
			for _, h := range []*History{&t.Args, &t.Result} {
				h.sort()
				kept := len(*h)
				for kept > 0 && (*h)[kept-1].Left != "" && (*h)[kept-1].Left < before && !keep(t, (*h)[kept-1].Fingerprint) {
					kept--
				}
				pruned += len(*h) - kept
				*h = (*h)[:kept]
			}
		}
		return false
	})
	return pruned
}
