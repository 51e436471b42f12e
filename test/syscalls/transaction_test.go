// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:synchronous
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sentrybinder/pkg/abi/binder"
)

const oneWay = binder.TF_ONE_WAY

// A synchronous transaction carries code, flags and data to the server, and a
// reply back.
//
//covers:synchronous,transaction
func TestCall(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.startWriteRead(bcTransaction{code: 7, flags: binder.TF_ACCEPT_FDS, payload: payload{text("hello")}})
	got := server.expect(brNoop, &message{
		code: 7, flags: binder.TF_ACCEPT_FDS, pid: client.pid(), payload: payload{text("hello")},
	})
	server.write(bcReply{code: 9, flags: binder.TF_STATUS_CODE, payload: payload{text("world")}}, got.message(t).free())
	server.expect(brNoop, brTransactionComplete)
	client.finishExpect(brNoop, brTransactionComplete,
		&message{reply: true, code: 9, flags: binder.TF_STATUS_CODE, payload: payload{text("world")}})
}

// Flags that mean nothing to the driver are passed on, too.
//
//covers:flags
func TestFlagsAreCarried(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	const flags = ^uint32(binder.TF_ONE_WAY)
	client.start(readSize, bcTransaction{flags: flags})
	server.expect(brNoop, &message{flags: flags, pid: client.pid()})
	server.write(bcReply{flags: flags})
	client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, flags: flags})
}

// The cookie, the sender's identity and the upper half of the handle in a command are
// ignored.
//
//covers:transaction
func TestIgnoredFields(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: oneWay, edit: func(tr *binder.TransactionData) {
		tr.Target = 1 << 32
		tr.Cookie = 0x1234
		tr.SenderPID = 1
		tr.SenderEUID = 1
	}})
	server.expect(brNoop, &message{flags: oneWay})
}

// The completion of a one-way transaction is available at once. The receiver does not get
// the sender's process ID.
//
//covers:one-way,transaction
func TestOneWay(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{code: 1, flags: oneWay, payload: payload{text("hello")}})
	client.expect(brNoop, brTransactionComplete)
	server.expect(brNoop, &message{code: 1, flags: oneWay, payload: payload{text("hello")}})
}

// A node handles one one-way transaction at a time: the next is delivered when the buffer
// of the previous one is freed. They arrive in order, whoever sent them.
//
//covers:one-way
func TestOneWayOneAtATime(t *testing.T) {
	server, client, other := newManager(t), newProcess(t), newProcess(t)
	for code := range uint32(4) {
		sender := []*process{client, other}[code%2]
		sender.write(bcTransaction{code: code, flags: oneWay})
		sender.expect(brNoop, brTransactionComplete)
	}
	for code := range uint32(4) {
		got := server.expect(brNoop, &message{code: code, flags: oneWay})
		server.expectNothing()
		server.write(got.message(t).free())
	}
	server.expectNothing()
}

// Any thread of the process may free the buffer; the next transaction goes to whichever
// reads.
//
//covers:one-way,free-buffer
func TestOneWayFreedByAnotherThread(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	other := server.newLooper()
	client.write(bcTransaction{code: 1, flags: oneWay}, bcTransaction{code: 2, flags: oneWay})
	got := server.expect(brNoop, &message{code: 1, flags: oneWay})
	server.startRead()
	other.write(got.message(t).free())
	server.finishExpect(brNoop, &message{code: 2, flags: oneWay})
}

// A one-way transaction that waits for its node does not hold up those to
// other nodes.
//
//covers:one-way
func TestOneWayOtherNode(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	h := server.give(client, 0x1000, 0)
	client.write(
		bcTransaction{code: 1, flags: oneWay},
		bcTransaction{code: 2, flags: oneWay},
		bcTransaction{handle: h, code: 3, flags: oneWay},
	)
	server.expect(brNoop, &message{code: 1, flags: oneWay})
	server.expect(brNoop, &message{ptr: 0x1000, code: 3, flags: oneWay})
}

// A call overtakes one-way transactions that wait for their node, and does not
// wait for the one that is being handled.
//
//covers:one-way
func TestCallOvertakesOneWay(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{code: 1, flags: oneWay}, bcTransaction{code: 2, flags: oneWay})
	client.expect(brNoop, brTransactionComplete, brTransactionComplete)
	one := server.expect(brNoop, &message{code: 1, flags: oneWay})
	client.start(readSize, bcTransaction{code: 3})
	three := server.expect(brNoop, &message{code: 3, pid: client.pid()})
	server.write(bcReply{}, three.message(t).free(), one.message(t).free())
	client.finish().ok(t)
	server.expect(brNoop, brTransactionComplete)
	server.expect(brNoop, &message{code: 2, flags: oneWay})
}

// Calls are handled in the order in which they came.
//
//covers:synchronous,one-way
func TestCallsInOrder(t *testing.T) {
	server := newManager(t)
	clients := []*process{newProcess(t), newProcess(t), newProcess(t)}
	for i, client := range clients {
		client.startWriteRead(bcTransaction{code: uint32(i)})
	}
	for i, client := range clients {
		server.expect(brNoop, &message{code: uint32(i), pid: client.pid()})
		server.write(bcReply{code: uint32(i)})
		server.expect(brNoop, brTransactionComplete)
		client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, code: uint32(i)})
	}
}

// newPeers returns the manager and a client, each of which holds a reference to one of
// the other's nodes: for the manager it is handle 1, for the client handle 0. The
// client's node is clientNode.
func newPeers(t *testing.T) (manager, client *process, h uint32) {
	manager, client = newManager(t), newProcess(t)
	return manager, client, client.offer(manager, clientNode)
}

// clientNode is the pointer of the client's node in newPeers; its cookie is
// clientNode+1.
const clientNode = 0x5000

// offer makes the process give the manager a node and returns the handle. The process has
// acknowledged the references; nothing else remains.
func (p *process) offer(manager *process, ptr uint64) uint32 {
	p.t.Helper()
	p.start(readSize, bcTransaction{payload: payload{node(ptr, ptr+1)}})
	request := manager.read().message(p.t)
	h := request.handle(0)
	manager.write(bcIncrefs(h), bcAcquire(h), bcReply{}, request.free())
	manager.expect(brNoop, brTransactionComplete)
	answer := p.finishExpect(brNoop, brIncrefs(ptr, ptr+1), brAcquire(ptr, ptr+1), brTransactionComplete, &message{reply: true})
	p.write(bcIncrefsDone(ptr, ptr+1), bcAcquireDone(ptr, ptr+1), answer.message(p.t).free())
	return h
}

// replyAndWait replies to a nested call and then waits for the reply to the call around
// it.
func (th *thread) replyAndWait(reply bcReply) {
	th.t.Helper()
	expect(th.t, th.writeRead(readSize, reply).ok(th.t), brNoop, brTransactionComplete)
	th.startRead()
}

// A server can call back. The call goes to the very thread that waits, though another is
// free.
//
//covers:nested
func TestNestedCall(t *testing.T) {
	manager, client, h := newPeers(t)
	idle := client.newLooper()
	idle.startRead()

	client.startWriteRead(bcTransaction{code: 1})
	manager.expect(brNoop, &message{code: 1, pid: client.pid()})
	manager.startWriteRead(bcTransaction{handle: h, code: 2})
	client.finishExpect(brNoop, brTransactionComplete,
		&message{ptr: clientNode, cookie: clientNode + 1, code: 2, pid: manager.pid()})
	client.replyAndWait(bcReply{code: 3})
	manager.finishExpect(brNoop, brTransactionComplete, &message{reply: true, code: 3})
	manager.write(bcReply{code: 4})
	client.finishExpect(brNoop, &message{reply: true, code: 4})
	idle.AwaitBlocked(t)
}

// So can a third process, further down the chain.
//
//covers:nested
func TestNestedCallThroughThird(t *testing.T) {
	manager, client, toClient := newPeers(t)
	third := newProcess(t)
	toThird := third.offer(manager, 0x7000)
	// The third process gets the client's node.
	_, answer := third.call(manager.thread, bcTransaction{}, payload{handle(toClient)})
	thirdToClient := answer.handle(0)
	idle := client.newLooper()
	idle.startRead()

	client.startWriteRead(bcTransaction{code: 1})
	manager.read()
	manager.startWriteRead(bcTransaction{handle: toThird, code: 2})
	third.expect(brNoop, &message{ptr: 0x7000, cookie: 0x7001, code: 2, pid: manager.pid()})
	third.startWriteRead(bcTransaction{handle: thirdToClient, code: 3})
	client.finishExpect(brNoop, brTransactionComplete,
		&message{ptr: clientNode, cookie: clientNode + 1, code: 3, pid: third.pid()})
	client.replyAndWait(bcReply{code: 4})
	third.finishExpect(brNoop, brTransactionComplete, &message{reply: true, code: 4})
	third.write(bcReply{code: 5})
	manager.finishExpect(brNoop, brTransactionComplete, &message{reply: true, code: 5})
	manager.write(bcReply{code: 6})
	client.finishExpect(brNoop, &message{reply: true, code: 6})
}

// A one-way transaction to a process in the chain does not go to the thread
// that waits.
//
//covers:nested,one-way
func TestNestedOneWay(t *testing.T) {
	manager, client, h := newPeers(t)
	other := client.newLooper()
	client.startWriteRead(bcTransaction{code: 1})
	manager.read()
	manager.write(bcTransaction{handle: h, code: 2, flags: oneWay})
	manager.expect(brNoop, brTransactionComplete)
	other.expect(brNoop, &message{ptr: clientNode, cookie: clientNode + 1, code: 2, flags: oneWay})
	manager.write(bcReply{code: 3})
	client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, code: 3})
}

// A call from outside the chain does not go to the thread that waits.
//
//covers:nested,dispatch
func TestCallFromOutsideTheChain(t *testing.T) {
	manager, client, h := newPeers(t)
	other, callee := manager.newLooper(), client.newLooper()
	client.startWriteRead(bcTransaction{code: 1})
	manager.read()
	other.startWriteRead(bcTransaction{handle: h, code: 2})
	client.AwaitBlocked(t)
	callee.expect(brNoop, &message{ptr: clientNode, cookie: clientNode + 1, code: 2, pid: manager.pid()})
	callee.write(bcReply{code: 3})
	other.finishExpect(brNoop, brTransactionComplete, &message{reply: true, code: 3})
	manager.write(bcReply{code: 4})
	client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, code: 4})
}

// Two threads can call each other's process to a great depth.
//
//covers:nested
func TestDeepChain(t *testing.T) {
	const depth = 50
	manager, client, h := newPeers(t)
	client.start(readSize, bcTransaction{code: 0})
	manager.expect(brNoop, &message{code: 0, pid: client.pid()})
	for i := uint32(1); i < depth; i++ {
		if i%2 == 1 {
			manager.start(readSize, bcTransaction{handle: h, code: i})
			client.finishExpect(brNoop, brTransactionComplete,
				&message{ptr: clientNode, cookie: clientNode + 1, code: i, pid: manager.pid()})
		} else {
			client.start(readSize, bcTransaction{code: i})
			manager.finishExpect(brNoop, brTransactionComplete, &message{code: i, pid: client.pid()})
		}
	}
	from, to := client, manager
	for i := uint32(depth - 1); i > 0; i-- {
		from.replyAndWait(bcReply{code: i})
		if i == depth-1 {
			// This one has not yet read anything since its call.
			to.finishExpect(brNoop, brTransactionComplete, &message{reply: true, code: i})
		} else {
			to.finishExpect(brNoop, &message{reply: true, code: i})
		}
		from, to = to, from
	}
	manager.write(bcReply{code: 0})
	client.finishExpect(brNoop, &message{reply: true})
}

// A thread that waits for a reply cannot make another call, but it can make one-way
// transactions.
//
//covers:synchronous,failures
func TestCallWhileWaiting(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{code: 1})
	client.write(bcTransaction{code: 2})
	client.expect(brNoop, brTransactionComplete, brFailedReply)
	client.write(bcTransaction{code: 3, flags: oneWay})
	client.expect(brNoop, brTransactionComplete)
	server.expect(brNoop, &message{code: 1, pid: client.pid()})
	server.write(bcReply{code: 4})
	client.expect(brNoop, &message{reply: true, code: 4})
}

// Another thread of the same process can.
//
//covers:synchronous,dispatch
func TestCallsOfTwoThreads(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	second := client.newThread()
	client.startWriteRead(bcTransaction{code: 1})
	second.startWriteRead(bcTransaction{code: 2})
	server.expect(brNoop, &message{code: 1, pid: client.pid()})
	other := server.newLooper()
	other.expect(brNoop, &message{code: 2, pid: client.pid()})
	other.write(bcReply{code: 20})
	second.finishExpect(brNoop, brTransactionComplete, &message{reply: true, code: 20})
	server.write(bcReply{code: 10})
	client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, code: 10})
}

// A reply without a call fails.
//
//covers:failures,transaction
func TestReplyToNothing(t *testing.T) {
	newManager(t)
	p := newProcess(t)
	p.write(bcReply{})
	p.expect(brNoop, brFailedReply)
}

// There is nothing to reply to after a one-way transaction.
//
//covers:failures,transaction
func TestReplyToOneWay(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: oneWay})
	server.read()
	server.write(bcReply{})
	server.expect(brNoop, brFailedReply)
}

// A call is replied to once.
//
//covers:failures,transaction
func TestReplyTwice(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{})
	server.read()
	r := server.writeRead(readSize, bcReply{code: 1}, bcReply{code: 2})
	expect(t, r.ok(t), brNoop, brTransactionComplete, brFailedReply)
	client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, code: 1})
	client.expectNothing()
}

// Only the thread that received a call can reply to it.
//
//covers:failures,transaction
func TestReplyByAnotherThread(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	other := server.newThread()
	client.start(readSize, bcTransaction{})
	server.read()
	other.write(bcReply{code: 1})
	other.expect(brNoop, brFailedReply)
	server.write(bcReply{code: 2})
	client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, code: 2})
}

// A thread that waits for a reply cannot reply to the call that it is handling.
//
//covers:failures,transaction
func TestReplyWhileWaiting(t *testing.T) {
	manager, client, h := newPeers(t)
	client.start(readSize, bcTransaction{code: 1})
	manager.read()
	manager.write(bcTransaction{handle: h, code: 2})
	manager.write(bcReply{code: 3})
	manager.expect(brNoop, brTransactionComplete, brFailedReply)
	client.finishExpect(brNoop, brTransactionComplete,
		&message{ptr: clientNode, cookie: clientNode + 1, code: 2, pid: manager.pid()})
}

// A reply marked as one-way is a reply.
//
//covers:flags,transaction
func TestReplyOneWay(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{})
	server.read()
	server.write(bcReply{flags: oneWay})
	server.expect(brNoop, brTransactionComplete)
	client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, flags: oneWay})
}

// A reply that fails fails the call.
//
//covers:failures,transaction
func TestFailingReply(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{})
	server.read()
	server.write(bcReply{edit: func(tr *binder.TransactionData) { tr.Buffer, tr.DataSize = badAddress, 8 }})
	server.expect(brNoop, brTransactionComplete)
	client.finishExpect(brNoop, brTransactionComplete, brFailedReply)
	server.write(bcReply{})
	server.expect(brNoop, brFailedReply)
}

// A call with unreadable data or offsets fails.
//
//covers:failures,transaction
func TestUnreadableData(t *testing.T) {
	for name, edit := range map[string]func(*binder.TransactionData){
		"data":    func(tr *binder.TransactionData) { tr.Buffer, tr.DataSize = badAddress, 100 },
		"null":    func(tr *binder.TransactionData) { tr.Buffer, tr.DataSize = 0, 100 },
		"offsets": func(tr *binder.TransactionData) { tr.Offsets, tr.OffsetsSize = badAddress, 8 },
	} {
		t.Run(name, func(t *testing.T) {
			server, client := newManager(t), newProcess(t)
			for _, flags := range []uint32{0, oneWay} {
				client.write(bcTransaction{flags: flags, payload: payload{text("hello")}, edit: edit})
				client.expect(brNoop, brFailedReply)
			}
			server.expectNothing()
		})
	}
}

// Partly unreadable data fails the transaction, too.
//
//covers:failures,transaction
func TestDataFaultsInTheMiddle(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	edge := client.pageEdge()
	client.write(bcTransaction{edit: func(tr *binder.TransactionData) {
		tr.Buffer, tr.DataSize = uint64(edge-4096), 8192
	}})
	client.expect(brNoop, brFailedReply)
	server.expectNothing()
}

// Empty data and offsets may be anywhere.
//
//covers:transaction
func TestNoData(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: oneWay, edit: func(tr *binder.TransactionData) {
		tr.Buffer, tr.Offsets = badAddress, badAddress
	}})
	server.expect(brNoop, &message{flags: oneWay})
}

// Many pages of data arrive whole, from any alignment.
//
//covers:transaction,buffers
func TestLargeData(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	for _, size := range []int{1, 7, 4095, 4096, 4097, 20000, 65536} {
		want := payload{space(size)}
		client.start(readSize, bcTransaction{payload: want})
		got := server.expect(brNoop, &message{pid: client.pid(), payload: want})
		server.write(got.message(t).free(), bcReply{payload: want})
		server.expect(brNoop, brTransactionComplete)
		got = client.finishExpect(brNoop, brTransactionComplete, &message{reply: true, payload: want})
		client.write(got.message(t).free())
	}
}

// TF_CLEAR_BUF: nothing of the data can be read after the buffer is freed.
//
//covers:flags,free-buffer
func TestClearBuffer(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.start(readSize, bcTransaction{payload: payload{text("public")}, flags: binder.TF_CLEAR_BUF})
	got := server.read().message(t)
	server.write(got.free(), bcReply{payload: payload{text("secret")}, flags: binder.TF_CLEAR_BUF})
	answer := client.finish().ok(t).message(t)
	client.write(answer.free())
	for _, tc := range []struct {
		p *process
		m *message
	}{{server, got}, {client, answer}} {
		left, err := tc.p.ReadMemory(t, uintptr(tc.m.buffer), 6)
		if err == nil {
			require.Equal(t, make([]byte, 6), left)
		}
	}
}

// TF_UPDATE_TXN replaces nothing in a process that is not frozen.
//
//covers:flags
func TestUpdateTransaction(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	const flags = oneWay | binder.TF_UPDATE_TXN
	for code := range uint32(3) {
		client.write(bcTransaction{code: code, flags: flags})
		client.expect(brNoop, brTransactionComplete)
	}
	for code := range uint32(3) {
		got := server.expect(brNoop, &message{code: code, flags: flags})
		server.write(got.message(t).free())
	}
}

// Many commands can be written at once, and their completions read at once.
//
//covers:transaction,write-read
func TestManyInOneWrite(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	var cmds []command
	want := []br{brNoop}
	for code := range uint32(20) {
		cmds = append(cmds, bcTransaction{code: code, flags: oneWay})
		want = append(want, brTransactionComplete)
	}
	client.write(cmds...)
	client.expect(want...)
	for code := range uint32(20) {
		got := server.expect(brNoop, &message{code: code, flags: oneWay})
		server.write(got.message(t).free())
	}
}

// A chain of calls can go through many processes. A call back into it goes to the waiting
// thread, wherever in the chain that is.
//
//covers:nested
func TestLongChain(t *testing.T) {
	const length = 12
	manager := newManager(t)
	var chain []*process
	var known []uint32 // by the manager
	for i := range length {
		chain = append(chain, newProcess(t))
		known = append(known, chain[i].offer(manager, uint64(0x1000*(i+1))))
	}
	introduce := func(p *process, to int) uint32 {
		_, answer := p.call(manager.thread, bcTransaction{}, payload{handle(known[to])})
		return answer.handle(0)
	}
	received := func(to int, code uint32, from *process) *message {
		ptr := uint64(0x1000 * (to + 1))
		return &message{ptr: ptr, cookie: ptr + 1, code: code, pid: from.pid()}
	}
	last := chain[length-1]
	var next, back []uint32
	var idle []*thread
	for i := range length - 1 {
		next = append(next, introduce(chain[i], i+1))
		back = append(back, introduce(last, i))
		idle = append(idle, chain[i].newLooper())
	}

	for i, h := range next {
		chain[i].startWriteRead(bcTransaction{handle: h, code: uint32(i)})
		chain[i+1].expect(brNoop, received(i+1, uint32(i), chain[i]))
	}
	for i, h := range back {
		idle[i].startRead()
		last.startWriteRead(bcTransaction{handle: h, code: 100})
		chain[i].finishExpect(brNoop, brTransactionComplete, received(i, 100, last))
		chain[i].replyAndWait(bcReply{code: 200})
		last.finishExpect(brNoop, brTransactionComplete, &message{reply: true, code: 200})
		idle[i].AwaitBlocked(t)
	}
	for i := length - 2; i >= 0; i-- {
		chain[i+1].write(bcReply{code: uint32(i)})
		chain[i].finishExpect(brNoop, &message{reply: true, code: uint32(i)})
	}
}
