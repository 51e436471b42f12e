// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package actor

// fork forks the calling process, with flags as for clone(2). The child becomes an
// actor that serves slot; stack is the end of its stack. The result is the child's
// process ID, or a negative errno.
func fork(flags, stack, slot uintptr) uintptr

// codeAddress returns an address in the code that actors run, which must all be in
// one mapping.
func codeAddress() uintptr

// handlerAddress returns the address of a signal handler that does nothing.
func handlerAddress() uintptr

// restorerAddress returns the address of the code that a signal handler returns to.
func restorerAddress() uintptr
