// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !amd64

package remote

// The loop of a remote thread is written for amd64 only.
const supported = false

func serve(ctl, slot uintptr)  { panic("not on this architecture") }
func handlerAddress() uintptr  { panic("not on this architecture") }
func restorerAddress() uintptr { panic("not on this architecture") }
