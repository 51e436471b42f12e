// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//go:build !race

package pool

func poison[T any](*T) {}
