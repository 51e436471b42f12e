// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build ignore

package main

import "runtime"

// With this file beside main.go, a sandbox's heap profile samples one object in every
// few, which makes it accurate for a thousand objects of a kind. Memory is measured with
// it; it is too slow for anything else.
func init() { runtime.MemProfileRate = 4096 }
