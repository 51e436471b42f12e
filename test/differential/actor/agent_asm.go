// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package actor

// fork makes the calling process fork, with flags as for clone(2). The child is
// an actor's main thread, which serves slot and has its stack end at stack. The
// result is the child's id or a negative errno.
func fork(flags, stack, slot uintptr) uintptr

// codeAddress returns an address in the code that actors run, which is all in
// the same few pages.
func codeAddress() uintptr

// handlerAddress returns the address of a signal handler that does nothing.
func handlerAddress() uintptr

// restorerAddress returns the address of what a signal handler returns to.
func restorerAddress() uintptr
