// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"time"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/benchmarks/peer"
)

// notifications measures the time from when a process is killed until another one
// has been told of the death of each of its nodes.
func notifications() {
	server := start("hub", nil)
	defer server.stop()
	owner := start("owner", nil)
	e := open()
	e.out = peer.Command(e.out, binder.BC_ENTER_LOOPER) // only loopers are sure to be told
	for i := range *count {
		handle := e.find(i)
		e.out = appendHandleCookie(e.out, binder.BC_REQUEST_DEATH_NOTIFICATION, handle, uint64(i))
		e.flush()
	}
	begin := time.Now()
	owner.cmd.Process.Kill()
	for told := 0; told < *count; {
		e.Returns(func(br uint32, _ []byte) {
			if br == binder.BR_DEAD_BINDER {
				told++
			}
		})
	}
	emit(result{Series: "binder", X: float64(*count), Value: time.Since(begin).Seconds() * 1e6})
	owner.stop()
}

func appendHandleCookie(commands []byte, cmd, handle uint32, cookie uint64) []byte {
	h := binder.HandleCookie{Handle: handle, Cookie: cookie}
	var b [binder.SizeOfHandleCookie]byte
	h.MarshalBytes(b[:])
	return append(binary.NativeEndian.AppendUint32(commands, cmd), b[:]...)
}
