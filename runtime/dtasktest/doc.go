// Package dtasktest helps applications to test code that delays tasks, without
// a broker.
//
//   - A [Recorder] keeps what is delayed; [Delayed] returns the arguments of a
//     task, typed.
//   - [NewInline] returns a client that runs every task within its Delay.
//   - A [Worker] runs what was recorded step by step, by a clock that the test
//     moves.
//   - [WithClock] and [Process] are the same two things for a client and a worker
//     of your own.
package dtasktest
