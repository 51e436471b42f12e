// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package actor runs system calls in other processes and threads, one at a time,
// and knows when one sleeps.
//
// # Actors
//
// An actor is a thread that runs no code of its own but a loop of a few
// instructions: it waits on a futex until calls are posted in its slot, makes
// them, and marks them done. There's no Go runtime in its process, nor any
// memory but that code and the arena, which the controller and all actors share
// at the same address.
//
// # Quiescence
//
// After each post the controller waits until nothing moves any more: the actor
// that got the post has made its calls or sleeps in one, and so has every other
// that this woke. Only then is the next thing done. The order in which actors
// run is thereby the same every time, and a program's outcome a function of the
// program alone. How this is known differs:
//
// On Linux, with a single processor, actors have a real-time policy, the
// kernel's own threads run before them, and the controller runs when nobody else
// wants to. So when the controller runs, nobody else can, and whoever has not
// finished sleeps. See scheduler.
//
// In the sandbox, whose threads nobody schedules, the sentry's gate tells: a
// thread that the driver puts to sleep reports there, and one that the driver
// wakes goes on when the controller lets it. It's a scheduler of the driver's that
// only the sandboxes of this test have. See package gate.
//
// In both, a thread that is woken starts to run when the one that woke it has
// finished or sleeps, and of several that are woken by the same call one runs
// after the other. What the driver does when two are at it at the same time is
// for other tests.
package actor
