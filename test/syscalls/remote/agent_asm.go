// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package remote

// serve executes system calls from the slot at address slot until the control
// socket ctl is closed; then the thread exits.
func serve(ctl, slot uintptr)

// handlerAddress returns the address of a signal handler that does nothing.
func handlerAddress() uintptr

// restorerAddress returns the address that a signal handler returns to.
func restorerAddress() uintptr
