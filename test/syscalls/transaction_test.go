// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package syscalls

import (
	"testing"

	"sentrybinder/pkg/abi/binder"
)

// A synchronous transaction carries code, flags and data to the server, and a
// reply back.
func TestCall(t *testing.T) {
	server, client := newManager(t), newProcess(t)

	client.startWriteRead(bcTransaction{code: 7, flags: binder.TF_ACCEPT_FDS, payload: payload{text("hello")}})
	got := server.expect(brNoop, &message{
		code: 7, flags: binder.TF_ACCEPT_FDS, pid: client.pid(), payload: payload{text("hello")},
	})
	server.write(bcReply{code: 9, payload: payload{text("world")}}, got.message(t).free())
	server.expect(brNoop, brTransactionComplete)
	client.finishExpect(brNoop, brTransactionComplete,
		&message{reply: true, code: 9, payload: payload{text("world")}})
}

// The manager gives a node to a client, and is told of its references.
func TestGive(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	h := server.give(client, 0x1000, 0x2000)
	_ = h
}
