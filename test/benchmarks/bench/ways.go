// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"slices"

	"sentrybinder/pkg/abi/binder"
)

// way is a way of making calls between a client and a server, which are different
// processes.
type way struct {
	name string

	// open returns the client's and the server's files for messages of up to size
	// bytes, or false if there can be none.
	open func(size int) (client, server []*os.File, ok bool)

	// client returns a function that makes a call with a message of one size, and
	// waits for an answer of another. server returns a function that waits for a
	// call and answers it.
	client, server func(files []*os.File, call, answer int) func()
}

// allWays has Binder first, and packets second.
var allWays = []way{
	{"binder", openNothing, binderClient, binderServer},
	{"unix seqpacket", openSeqpacket, streamClient, streamServer},
	{"unix stream", openStream, streamClient, streamServer},
	{"pipes", openPipes, streamClient, streamServer},
	{"futexes", openShared, futexClient, futexServer},
}

// deferred is Binder with TF_DEFER_COMPLETE: a server replies and waits for the
// next call in one system call. Drivers that don't know the flag ignore it.
var deferred = way{"binder with TF_DEFER_COMPLETE", openNothing, binderClient, deferringServer}

// wayServer is the role of a server.
func wayServer() {
	ways := append(allWays, deferred)
	w := ways[slices.IndexFunc(ways, func(w way) bool { return w.name == *with })]
	var files []*os.File
	for i := range *given {
		files = append(files, file(i))
	}
	serve := w.server(files, *n, *answer)
	ready()
	for {
		serve()
	}
}

// connect starts a server, and returns it and a function that calls it.
func (w way) connect(call, answer int) (*process, func(), bool) {
	client, server, ok := w.open(max(call, answer))
	if !ok {
		return nil, nil, false
	}
	p := start("server", server, "-with="+w.name, fmt.Sprint("-n=", call), fmt.Sprint("-answer=", answer))
	for _, f := range server {
		f.Close()
	}
	return p, w.client(client, call, answer), true
}

func openNothing(int) (client, server []*os.File, ok bool) { return nil, nil, true }

func binderClient(_ []*os.File, call, _ int) func() {
	e := open()
	payload := make([]byte, call)
	return func() { e.call(0, 0, payload, nil) }
}

func binderServer(_ []*os.File, _, answer int) func() { return serverWith(0, answer) }

func deferringServer(_ []*os.File, _, answer int) func() {
	return serverWith(binder.TF_DEFER_COMPLETE, answer)
}

// serverWith becomes the context manager, and returns a function that serves calls
// with answers of these flags and this size.
func serverWith(flags uint32, answer int) func() {
	e := open()
	e.answerFlags = flags
	e.BecomeManager()
	payload := make([]byte, answer)
	return func() { e.serve(replyWith(payload)) }
}

// measureWays measures calls and answers of these sizes, each way in turn.
func measureWays(ways []way, call, answer int, emit func(name string, t timing)) {
	for _, w := range ways {
		if !wanted(w.name) {
			continue
		}
		server, f, ok := w.connect(call, answer)
		if !ok {
			continue
		}
		emit(w.name, measure(f))
		server.stop()
	}
}
