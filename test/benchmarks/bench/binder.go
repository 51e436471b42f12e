// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"runtime"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/benchmarks/peer"
)

// endpoint is a thread that speaks Binder. Commands other than calls are queued,
// and sent along with the next call.
type endpoint struct {
	*peer.Process
	out []byte

	// answerFlags are the flags of its replies.
	answerFlags uint32
}

func open() *endpoint { return newEndpoint(peer.Open(*device)) }

func newEndpoint(p *peer.Process) *endpoint { return &endpoint{Process: p, out: p.Commands()} }

// thread returns the endpoint for another thread.
func (e *endpoint) thread() *endpoint { return newEndpoint(e.Process.Thread()) }

// await sends the queued commands and waits for the return br.
func (e *endpoint) await(br uint32) binder.TransactionData {
	commands := e.out
	e.out = e.Commands() // the driver has read all commands before anything returns
	return e.Exchange(commands, br, e.acknowledge)
}

// acknowledge answers returns about nodes.
func (e *endpoint) acknowledge(br uint32, params []byte) {
	switch br {
	case binder.BR_INCREFS, binder.BR_ACQUIRE:
		var node binder.PtrCookie
		node.UnmarshalBytes(params)
		cmd := uint32(binder.BC_INCREFS_DONE)
		if br == binder.BR_ACQUIRE {
			cmd = binder.BC_ACQUIRE_DONE
		}
		e.out = peer.Command(e.out, cmd, node.Ptr, node.Cookie)
	case binder.BR_RELEASE, binder.BR_DECREFS, binder.BR_SPAWN_LOOPER:
	default:
		peer.Fail("unexpected return %#x", br)
	}
}

// call makes a call. The answer stays valid until the next await.
func (e *endpoint) call(handle, code uint32, data []byte, offsets []uint64) binder.TransactionData {
	e.out = peer.TransactionTo(e.out, binder.BC_TRANSACTION, handle, code, binder.TF_ACCEPT_FDS, data, offsets)
	answer := e.await(binder.BR_REPLY)
	e.free(answer)
	return answer
}

// free queues the command that frees a received buffer.
func (e *endpoint) free(tr binder.TransactionData) {
	e.out = peer.Command(e.out, binder.BC_FREE_BUFFER, tr.Buffer)
}

// handle queues a command about a handle.
func (e *endpoint) handle(cmd, handle uint32) { e.out = peer.HandleCommand(e.out, cmd, handle) }

// flush sends the queued commands.
func (e *endpoint) flush() {
	if len(e.out) != 0 {
		e.Write(e.out)
		e.out = e.Commands()
	}
}

// serve answers calls forever, with what f returns for each.
func (e *endpoint) serve(f func(call binder.TransactionData) (data []byte, offsets []uint64)) {
	e.out = peer.Command(e.out, binder.BC_ENTER_LOOPER)
	for {
		call := e.await(binder.BR_TRANSACTION)
		data, offsets := f(call)
		e.free(call)
		if call.Flags&binder.TF_ONE_WAY == 0 {
			e.out = peer.TransactionTo(e.out, binder.BC_REPLY, 0, 0, e.answerFlags, data, offsets)
		}
	}
}

// replyWith returns a function for serve that answers every call with data.
func replyWith(data []byte) func(binder.TransactionData) ([]byte, []uint64) {
	return func(binder.TransactionData) ([]byte, []uint64) { return data, nil }
}

// objects holds objects one after the other, as the data of a transaction does.
type objects struct {
	data    []byte
	offsets []uint64
}

func (o *objects) add(f binder.FlatObject) {
	o.offsets = append(o.offsets, uint64(len(o.data)))
	o.data = append(o.data, make([]byte, binder.SizeOfFlatObject)...)
	f.MarshalBytes(o.data[len(o.data)-binder.SizeOfFlatObject:])
}

// objectsOf returns the objects in data, which holds nothing else.
func objectsOf(data []byte) []binder.FlatObject {
	os := make([]binder.FlatObject, len(data)/binder.SizeOfFlatObject)
	for i := range os {
		os[i].UnmarshalBytes(data[i*binder.SizeOfFlatObject:])
	}
	return os
}

// node returns the i-th node of a process, as an object.
func node(i int) binder.FlatObject {
	return binder.FlatObject{Type: binder.BINDER_TYPE_BINDER, Flags: binder.FLAT_BINDER_FLAG_ACCEPTS_FDS, Binder: uint64(i+1) << 4}
}

// The code of a call selects what a hub does.
const (
	hubNothing = iota // answers with nothing
	hubKeep           // keeps the objects in the call
	hubCount          // answers with the number of one-way transactions it received
	hubFind           // answers with the kept object whose index the call holds
)

// hub is a context manager that keeps the objects it is sent.
type hub struct {
	*endpoint
	kept   []uint32
	oneway uint64
}

func (h *hub) answer(call binder.TransactionData) ([]byte, []uint64) {
	if call.Flags&binder.TF_ONE_WAY != 0 {
		h.oneway++
		return nil, nil
	}
	switch call.Code {
	case hubKeep:
		for _, o := range objectsOf(h.Data(call)) {
			h.handle(binder.BC_ACQUIRE, uint32(o.Binder))
			h.kept = append(h.kept, uint32(o.Binder))
		}
	case hubCount:
		return binary.NativeEndian.AppendUint64(nil, h.oneway), nil
	case hubFind:
		var found objects
		found.add(binder.FlatObject{
			Type:   binder.BINDER_TYPE_HANDLE,
			Binder: uint64(h.kept[binary.NativeEndian.Uint64(h.Data(call))]),
		})
		return found.data, found.offsets
	}
	return nil, nil
}

// runHub is the role of a hub with one thread.
func runHub() {
	h := hub{endpoint: open()}
	h.BecomeManager()
	ready()
	h.serve(h.answer)
}

// runPool is the role of a context manager with n threads, whose answers are empty.
func runPool() {
	e := open()
	e.BecomeManager()
	for range *n - 1 {
		go func() {
			runtime.LockOSThread()
			e.thread().serve(replyWith(nil))
		}()
	}
	ready()
	e.serve(replyWith(nil))
}

// publish sends nodes to the hub, and returns once it keeps them.
func (e *endpoint) publish(nodes ...binder.FlatObject) {
	var o objects
	for _, node := range nodes {
		o.add(node)
	}
	e.call(0, hubKeep, o.data, o.offsets)
	e.flush()
}

// find returns a handle to the i-th object that the hub keeps.
func (e *endpoint) find(i int) uint32 {
	answer := e.call(0, hubFind, binary.NativeEndian.AppendUint64(nil, uint64(i)), nil)
	handle := uint32(objectsOf(e.Data(answer))[0].Binder)
	// Acquired before the buffer of the answer is freed, and its reference with it.
	e.out = append(peer.HandleCommand(nil, binder.BC_ACQUIRE, handle), e.out...)
	e.flush()
	return handle
}
