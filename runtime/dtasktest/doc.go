// Package dtasktest helps to test code that delays tasks. It needs no broker.
//
//   - Which tasks does my code delay? A [Recorder] keeps them, and [Delayed]
//     returns their arguments.
//   - What does my code do if tasks run at once? [NewInline] returns a client that
//     runs each task in its Delay.
//   - What happens at the third attempt, or in an hour? A [Worker] runs the recorded
//     tasks one by one, and the test moves its clock.
//   - [WithClock] sets the clock of a client of your own, and [Process] runs one
//     delivery on a worker of your own.
package dtasktest
