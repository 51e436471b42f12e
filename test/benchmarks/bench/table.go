// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"
)

// tableStep is the number of calls that a row is the mean of.
const tableStep = 10_000

// table measures calls that each send a new node, to which the server keeps a
// reference: the mean of every tableStep calls.
func table() {
	server := start("hub", nil)
	defer server.stop()
	e := open()
	begin := time.Now()
	step := min(tableStep, *count/10)
	for i := range *count {
		var o objects
		o.add(node(i))
		e.call(0, hubKeep, o.data, o.offsets)
		if (i+1)%step == 0 {
			now := time.Now()
			emit(result{Series: "binder", X: float64(i + 1), Value: now.Sub(begin).Seconds() * 1e6 / float64(step)})
			begin = now
		}
	}
}
