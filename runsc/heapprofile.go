// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build ignore

package main

import "runtime"

// With this file beside main.go, a sandbox's heap profile has a sample for every few
// objects, and so is right about a thousand of a kind: this is how memory is
// measured, and too slow for anything else.
func init() { runtime.MemProfileRate = 4096 }
