// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/benchmarks/peer"
)

func openNothing() (client, server []*os.File) { return nil, nil }

func binderClient([]*os.File) func() {
	p := peer.Open(*device)
	payload := make([]byte, *bytes)
	var answer uint64
	return func() {
		commands := p.Commands()
		if answer != 0 {
			commands = peer.Command(commands, binder.BC_FREE_BUFFER, answer)
		}
		answer = p.Exchange(peer.Transaction(commands, binder.BC_TRANSACTION, payload, nil), binder.BR_REPLY, nil).Buffer
	}
}

func binderServer([]*os.File) func() {
	p := peer.Open(*device)
	payload := make([]byte, *bytes)
	p.BecomeManager()
	commands := peer.Command(p.Commands(), binder.BC_ENTER_LOOPER)
	return func() {
		call := p.Exchange(commands, binder.BR_TRANSACTION, nil).Buffer
		commands = peer.Transaction(peer.Command(p.Commands(), binder.BC_FREE_BUFFER, call), binder.BC_REPLY, payload, nil)
	}
}
