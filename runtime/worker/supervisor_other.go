//go:build !unix

package worker

// childEnv marks the children of a supervisor.
const childEnv = "DTASK_CHILD"

func (p *program) supervise() error {
	return usagef("-processes is not supported on this system; start several workers, for instance as services")
}

func (p *program) child() error { return p.supervise() }
