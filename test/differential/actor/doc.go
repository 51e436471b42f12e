// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package actor makes system calls in other processes and threads, one at a time, and
// detects when a thread sleeps in one.
//
// # Actors
//
// An actor is a thread that only runs a loop of a few instructions: it waits on a
// futex until calls are posted in its slot, makes them, and marks them done. Its
// process has no Go runtime, and no memory but that code and the arena, which the
// controller and all actors share at the same address.
//
// # Quiescence
//
// After each post the controller waits for quiescence: the actor that got the post,
// and every other one that was woken as a result, has finished its calls or sleeps
// in one. Only then does the next step begin. So actors always run in the same order,
// and the outcome of a program depends on the program alone. How quiescence is
// detected depends on the place:
//
// On Linux, with a single CPU, actors have a real-time scheduling policy, kernel
// threads have a higher priority than actors, and the controller only runs when
// nothing else can. So when it runs, every actor that has not finished is asleep. See
// scheduler.
//
// In a sandbox, which doesn't control how its threads are scheduled, the gate detects
// quiescence: a thread that the driver puts to sleep registers with it, and one that
// the driver wakes continues only when the controller says so. The gate is a scheduler
// for the driver that only this test's sandboxes have. See package gate.
//
// In either place, a woken thread starts to run when the thread that woke it has
// finished or sleeps, and threads that were woken by the same call run one after
// another. What the driver does when threads use it concurrently is left to other
// tests.
package actor
