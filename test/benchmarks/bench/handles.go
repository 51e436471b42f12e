// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"

	"sentrybinder/pkg/abi/binder"
)

// handles measures calls with many handles in them, to nodes of a third process,
// and calls with as many bytes of plain data.
func handles() {
	for _, many := range numbersOf(*numbers) {
		server := start("hub", nil)
		owner := start("owner", nil, fmt.Sprint("-count=", many))
		e := open()
		var data objects
		for i := range many {
			data.add(binder.FlatObject{Type: binder.BINDER_TYPE_HANDLE, Binder: uint64(e.find(i))})
		}
		measure(func() { e.call(0, 0, data.data, data.offsets) }).emit("handles", many)
		measure(func() { e.call(0, 0, data.data, nil) }).emit("as much data", many)
		e.Close()
		owner.stop()
		server.stop()
	}
}

// objectsInCall is how many objects go into one call when there are many to send.
const objectsInCall = 100

// owner is the role of a process whose nodes the hub keeps.
func owner() {
	e := open()
	for first := 0; first < *count; first += objectsInCall {
		var nodes []binder.FlatObject
		for i := first; i < min(first+objectsInCall, *count); i++ {
			nodes = append(nodes, node(i))
		}
		e.publish(nodes...)
	}
	ready()
	rest()
}
