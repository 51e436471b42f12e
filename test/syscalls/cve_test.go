// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:malformed
package syscalls

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

// Bugs of other implementations of Binder, with the numbers of the reports. Each test
// does what made the bug matter. test/differential plants a bug of each class in the
// driver, and checks that the test of that name notices it.

// bystander is a process that holds one strong reference to another's node, and that
// receives what an attacker sends.
type bystander struct {
	*process
	owner, attacker *process
	h               uint32
}

func newBystander(t *testing.T) *bystander {
	t.Helper()
	manager, owner, h := newPeers(t)
	return &bystander{manager, owner, newProcess(t), h}
}

// leaveBehind makes the attacker leave bytes in the bystander's mapping where its next
// transaction will be.
func (b *bystander) leaveBehind(p payload) {
	b.t.Helper()
	b.attacker.write(bcTransaction{flags: oneWay, payload: p})
	b.attacker.expect(brNoop, brTransactionComplete)
	b.process.write(b.process.read().message(b.t).free())
}

// attack sends p with other offsets, or another size of them, which must fail without
// harm to the bystander.
func (b *bystander) attack(p payload, edit func(*binder.TransactionData), offsets ...uint64) {
	b.t.Helper()
	b.attacker.write(bcTransaction{flags: oneWay, payload: p, edit: func(tr *binder.TransactionData) {
		at := b.attacker.Scratch() + remote.ScratchSize - 4096
		raw := quads(offsets...)
		copy(remote.Bytes(at, len(raw)), raw)
		tr.Offsets, tr.OffsetsSize = uint64(at), uint64(len(raw))
		if edit != nil {
			edit(tr)
		}
	}})
	b.attacker.expect(brNoop, brFailedReply)
	b.requireUnharmed()
}

// requireUnharmed checks that the bystander still holds its reference, and that the
// node's owner was told nothing.
func (b *bystander) requireUnharmed() {
	b.t.Helper()
	b.process.expectNothing()
	b.process.write(bcTransaction{handle: b.h, flags: oneWay, code: 5})
	b.process.expect(brNoop, brTransactionComplete)
	got := b.owner.read()
	b.owner.write(got.message(b.t).free())
	require.Len(b.t, got, 2, "returns: %v", got)
}

// CVE-2019-2025: a buffer could be freed by its address before its receiver knew about
// it, while its sender was still filling it.
//
//covers:free-buffer
func TestCVE_2019_2025(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	th := server.newLooper()
	data := payload{text("contents that nobody else has")}
	client.write(bcTransaction{flags: oneWay, payload: data})
	client.expect(brNoop, brTransactionComplete)
	for _, p := range []*thread{server.thread, th} {
		p.write(bcFreeBuffer(uint64(server.mapStart)), bcFreeBuffer(uint64(server.mapStart)))
	}
	other := newProcess(t)
	other.start(readSize, bcTransaction{payload: payload{text("something else, of the same size")}})
	other.AwaitBlocked(t)
	first := server.expect(brNoop, &message{flags: oneWay, payload: data}).message(t)
	second := server.read().message(t)
	require.NotEqual(t, first.buffer, second.buffer)
	server.write(first.free(), bcReply{}, second.free())
	other.finish().ok(t)
}

// CVE-2019-2215: a thread that exited with BINDER_THREAD_EXIT while epoll watched it was
// used afterwards.
//
//covers:epoll,threads
func TestCVE_2019_2215(t *testing.T) {
	server, client, h := newPeers(t)
	client.startWriteRead(bcTransaction{})
	server.read()
	// The server has a call to reply to, so that it waits only for its own work.
	ep := server.newEpoll(unix.EPOLLIN)
	require.Zero(t, server.epollWait(ep, 0))
	server.leave()
	client.finishExpect(brNoop, brTransactionComplete, brDeadReply)
	server.close(ep)
	server.expectNothingFirst()
	server.write(bcEnterLooper)
	client.write(bcTransaction{flags: oneWay})
	client.expect(brNoop, brTransactionComplete)
	server.expect(brNoop, &message{flags: oneWay})
	// To the driver it is a new thread, which can be called back.
	server.startWriteRead(bcTransaction{handle: h})
	client.read()
	client.startWriteRead(bcTransaction{})
	server.finishExpect(brNoop, brTransactionComplete, &message{pid: client.pid()})
	server.write(bcReply{})
	client.finishExpect(brNoop, brTransactionComplete, &message{reply: true})
	client.write(bcReply{})
	server.expect(brNoop, brTransactionComplete, &message{reply: true})
}

// CVE-2020-0041: the parent of a buffer, or of an array of descriptors, could be an
// object that had not been validated, or nonexistent.
//
//covers:pointers
func TestCVE_2020_0041(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	m := newMemory(t)
	for _, parent := range []uint64{1, 2, 3, 100, 1 << 32, 1 << 61, 1<<64 - 1} {
		for _, o := range []part{m.buffer(quads(1)).in(parent, 0), fds(1, parent, 0)} {
			client.write(bcTransactionSG{bcTransaction{flags: oneWay, payload: payload{token, m.buffer(quads(7, 8)), o}}, 64})
			client.expect(brNoop, brFailedReply)
			server.expectNothing()
		}
	}
}

// CVE-2020-0423: an exiting thread released its work without the lock, while others
// removed that from its list.
//
//covers:threads,references
func TestCVE_2020_0423(t *testing.T) {
	manager, owner := newManager(t), newProcess(t)
	var nodes payload
	for i := range uint64(20) {
		nodes = append(nodes, node(8*(i+1), 0))
	}
	for range 30 {
		th := owner.newBareThread()
		th.write(bcTransaction{flags: oneWay, payload: nodes})
		got := manager.read().message(t)
		th.Start(t, unix.SYS_IOCTL, uintptr(owner.fd), binder.BINDER_THREAD_EXIT, 0)
		manager.write(got.free())
		_, err := th.Wait(t)
		require.NoError(t, err)
	}
	manager.expectNothing()
	owner.expectNothing()
}

// CVE-2022-20421: a reference that could not be acquired for a dying process stayed
// behind, and its node pointed to a process that was gone.
//
//covers:references,ends
func TestCVE_2022_20421(t *testing.T) {
	manager, owner, h := newPeers(t)
	for range 10 {
		receiver := newProcess(t)
		to := receiver.offer(manager, 0x9000)
		var calls []command
		for range 20 {
			calls = append(calls, bcTransaction{handle: to, flags: oneWay, payload: payload{weakHandle(h), handle(h), handle(99)}})
		}
		// Each fails, the last ones because nobody is left.
		th := manager.newThread()
		for i, c := range calls {
			th.start(readSize, c)
			if i == 5 {
				receiver.kill()
			}
			th.finish().ok(t)
		}
	}
	manager.write(bcRelease(h), bcDecrefs(h))
	owner.expectInReads(brRelease(clientNode, clientNode+1), brDecrefs(clientNode, clientNode+1))
}

// CVE-2023-20938: offsets whose size is not a multiple of eight were refused, and the
// buffer was cleaned up as if its objects had been translated.
func TestCVE_2023_20938(t *testing.T) {
	b := newBystander(t)
	stale := payload{text(handle(b.h).encode()), text(handle(b.h).encode()), space(16)}
	for _, size := range []uint64{1, 4, 7, 9, 12, 15, 17} {
		b.leaveBehind(stale)
		b.attack(payload{node(0x10, 0), node(0x20, 0)}, func(tr *binder.TransactionData) { tr.OffsetsSize = size }, 0, 24, 0)
	}
}

// CVE-2023-21255: all objects of a buffer whose first object failed were cleaned up.
func TestCVE_2023_21255(t *testing.T) {
	b := newBystander(t)
	for _, p := range []payload{
		{handle(99), handle(b.h), handle(b.h)},
		{node(0x10, 0), handle(99), handle(b.h)},
		{object{Type: 1}, node(0x10, 0), handle(b.h)},
	} {
		b.leaveBehind(payload{text(handle(b.h).encode()), text(handle(b.h).encode()), text(handle(b.h).encode()), space(24)})
		b.attack(p, nil, 0, 24, 48)
	}
}

// CVE-2024-26606: a thread that waited in epoll was not woken for work that it had itself
// caused, such as with a command without a read.
//
//covers:epoll
func TestCVE_2024_26606(t *testing.T) {
	for name, work := range map[string]func(h uint32) command{
		"completion":    func(h uint32) command { return bcTransaction{handle: h, flags: oneWay} },
		"cleared death": func(h uint32) command { return append(bcRequestDeath(h, 1), bcClearDeath(h, 1)...) },
		"failure":       func(uint32) command { return bcTransaction{handle: 99} },
	} {
		t.Run(name, func(t *testing.T) {
			_, client, h := newMortal(t)
			ep := client.newEpoll(unix.EPOLLIN)
			require.Zero(t, client.epollWait(ep, 0))
			client.write(work(h))
			if name == "failure" && differs(t, onPollFailure) {
				return
			}
			require.EqualValues(t, unix.EPOLLIN, client.epollWait(ep, 10_000))
		})
	}
}

// CVE-2024-26926: an object could be at an unaligned offset.
func TestCVE_2024_26926(t *testing.T) {
	b := newBystander(t)
	for _, offset := range []uint64{1, 2, 3, 5, 6, 7} {
		b.attack(payload{space(int(offset)), text(node(0x10, 0).encode()), space(16)}, nil, offset)
	}
}

// CVE-2024-46740: the data before an object whose offset was too large was copied without
// a limit. It overwrote the offsets, with which the buffer was then cleaned up.
func TestCVE_2024_46740(t *testing.T) {
	b := newBystander(t)
	const size = 48
	data := payload{node(0x10, 0), text(handle(b.h).encode()), text(quads(24, 24, 24, 24))}
	for _, offset := range []uint64{size + 16, size + 8, size + 4, size + 24} {
		b.attack(data, func(tr *binder.TransactionData) { tr.DataSize = size }, 0, offset)
	}
}

// CVE-2026-23194: an empty array of descriptors was mistaken for a pointer of eight
// bytes, which lay outside its parent if the array was at its end.
//
//covers:pointers
func TestCVE_2026_23194(t *testing.T) {
	server, client := newFileServer(t), newProcess(t)
	data := quads(0x1111, 0x2222)
	for _, offset := range []uint64{0, 4, 8, 12, 16} {
		m := newMemory(t)
		got := sendSG(server, client, 16, payload{token, m.buffer(data), fds(0, 0, offset)})
		client.expect(brNoop, brTransactionComplete)
		require.Equal(t, data, server.bytes(got, 0), "an array at %d", offset)
		server.write(got.free())
	}
}

// CVE-2026-23400: the completion of a request that was cleared after the death was
// delivered made a thread that is no looper wait for itself.
//
//covers:death
func TestCVE_2026_23400(t *testing.T) {
	owner, client, h := newMortal(t)
	th := client.newThread()
	client.write(bcRequestDeath(h, 1))
	owner.kill()
	client.expect(brNoop, brDeadBinder(1))
	th.write(bcClearDeath(h, 1), bcDeadBinderDone(1))
	client.expect(brNoop, brClearDeathDone(1))
}

// CVE-2026-43434: what was sent to a process went to whatever it had mapped in place of
// the driver's memory, even if writable.
//
//covers:remap
func TestCVE_2026_43434(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	server.munmap()
	at := server.Must(t, unix.SYS_MMAP, server.mapStart, mapSize, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED, ^uintptr(0), 0)
	want := brDeadReply
	if differs(t, onNoMapping) {
		want = brFailedReply
	}
	for _, flags := range []uint32{0, oneWay} {
		client.write(bcTransaction{flags: flags, payload: payload{text("what nobody can write")}})
		client.expect(brNoop, want)
	}
	server.expectNothing()
	got, err := server.ReadMemory(t, at, 4096)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 4096), got)
}

// CVE-2026-43435: what was just being sent, or was large, did not count as spam.
//
//covers:spam
func TestCVE_2026_43435(t *testing.T) {
	for _, size := range []int{asyncSpace / 128, asyncSpace / 4} {
		newManager := newManager(t)
		client := newProcess(t)
		client.setSpamDetection(1)
		n := asyncSpace / size
		require.Equal(t, firstOf(t, (asyncSpace-lowSpace)/size+1, n), client.flood(n, size))
		newManager.kill()
	}
}

// CVE-2026-68458: the space for buffers was too large by the size of the sender's
// security context, which follows it, so the sender could replace the context.
//
//covers:scatter-gather,security-context
func TestCVE_2026_68458(t *testing.T) {
	server, client := newCuriousManager(t), newProcess(t)
	m := newMemory(t)
	forged := m.buffer([]byte("init\x00..."))
	for _, p := range []payload{
		{token, m.buffer(quads(1)), forged},
		{token, m.buffer(append(quads(1), "init\x00..."...))},
		{token, m.buffer(append(quads(1), 'i'))},
	} {
		client.write(bcTransactionSG{bcTransaction{flags: oneWay, payload: p}, 8})
		client.expect(brNoop, brFailedReply)
		server.expectNothing()
	}
	got := sendSG(server, client, 8, payload{token, m.buffer(quads(1))})
	text, err := server.ReadMemory(t, uintptr(got.secctx), len(label))
	require.NoError(t, err)
	require.Equal(t, label, string(text))
}

// A call that another replaces with TF_UPDATE_TXN left its files open forever.
//
//covers:flags,files
func TestUpdateClosesFiles(t *testing.T) {
	server, client, freezer := newFileServer(t), newProcess(t), newProcess(t)
	freezer.freeze(server)
	client.write(bcTransaction{flags: oneWayUpdate})
	client.expect(brNoop, brPendingFrozen)
	// Only the transaction holds the pipe's writing end.
	r, w := client.pipe()
	client.write(bcTransaction{flags: oneWayUpdate, payload: payload{file(w)}})
	client.expect(brNoop, brPendingFrozen)
	client.close(w)
	client.startPollFD(r, unix.POLLIN, 0)
	require.Zero(t, client.finishPoll())
	client.write(bcTransaction{flags: oneWayUpdate})
	client.expect(brNoop, brPendingFrozen)
	client.startPollFD(r, unix.POLLIN, 10_000)
	require.EqualValues(t, unix.POLLHUP, client.finishPoll())
}
