// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

// roundtrip measures calls whose answers are as large as they are, beside what one
// copy of that size takes.
func roundtrip() {
	for _, size := range numbersOf(*sizes) {
		measureWays(size, size, func(name string, t timing) { t.emit(name, size) })
		if from, to := make([]byte, size), make([]byte, size); size > 0 && wanted("one copy") {
			measure(func() { copy(to, from) }).emit("one copy", size)
		}
	}
}
