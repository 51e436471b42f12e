// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:mmap
package syscalls

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

// newUnmappedProcess starts a process that has opened the default device but
// not mapped it.
func newUnmappedProcess(t testing.TB) *process {
	t.Helper()
	p := newBareProcess(t)
	p.fd = p.open(defaultDevice, unix.O_RDWR|unix.O_CLOEXEC)
	p.write(bcEnterLooper)
	return p
}

// The mapping may be private or shared, but never writable, nor executable.
func TestMmapProtection(t *testing.T) {
	for _, tc := range []struct {
		name        string
		prot, flags int
		want        error
	}{
		{"private read", unix.PROT_READ, unix.MAP_PRIVATE, nil},
		{"shared read", unix.PROT_READ, unix.MAP_SHARED, nil},
		{"shared none", unix.PROT_NONE, unix.MAP_SHARED, nil},
		{"private write", unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE, unix.EPERM},
		{"shared write", unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED, unix.EPERM},
		{"write only", unix.PROT_WRITE, unix.MAP_PRIVATE, unix.EPERM},
		{"private execute", unix.PROT_READ | unix.PROT_EXEC, unix.MAP_PRIVATE, unix.EPERM},
		{"shared execute", unix.PROT_READ | unix.PROT_EXEC, unix.MAP_SHARED, unix.EPERM},
		{"execute only", unix.PROT_EXEC, unix.MAP_PRIVATE, unix.EPERM},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newUnmappedProcess(t)
			_, err := p.tryMmap(p.fd, mapSize, tc.prot, tc.flags)
			require.Equal(t, tc.want, err)
		})
	}
}

// A refused mapping doesn't use up the one that an open file may have.
func TestMmapAfterRefusal(t *testing.T) {
	p := newUnmappedProcess(t)
	_, err := p.tryMmap(p.fd, mapSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	require.Equal(t, unix.EPERM, err)
	p.mmap(mapSize)
}

// The mapping cannot become writable later, nor executable.
//
//covers:remap
func TestMprotect(t *testing.T) {
	for _, flags := range []int{unix.MAP_PRIVATE, unix.MAP_SHARED} {
		p := newUnmappedProcess(t)
		addr, err := p.tryMmap(p.fd, mapSize, unix.PROT_READ, flags)
		require.NoError(t, err)
		_, err = p.Call(t, unix.SYS_MPROTECT, addr, mapSize, unix.PROT_READ|unix.PROT_WRITE)
		require.Equal(t, unix.EACCES, err)
		_, err = p.Call(t, unix.SYS_MPROTECT, addr, mapSize, unix.PROT_READ|unix.PROT_EXEC)
		require.Equal(t, unix.EACCES, err)
		p.Must(t, unix.SYS_MPROTECT, addr, mapSize, unix.PROT_NONE)
		p.Must(t, unix.SYS_MPROTECT, addr, mapSize, unix.PROT_READ)
	}
}

// An open file can be mapped once, even if the mapping has been removed.
func TestMmapTwice(t *testing.T) {
	p := newProcess(t)
	_, err := p.tryMmap(p.fd, mapSize, unix.PROT_READ, unix.MAP_PRIVATE)
	require.Equal(t, unix.EBUSY, err)
	p.munmap()
	_, err = p.tryMmap(p.fd, mapSize, unix.PROT_READ, unix.MAP_PRIVATE)
	require.Equal(t, unix.EBUSY, err)
}

// Only the process that opened the device may map it.
//
//covers:mmap,inherit
func TestMmapByChild(t *testing.T) {
	p := newUnmappedProcess(t)
	child := p.fork()
	_, err := child.tryMmap(p.fd, mapSize, unix.PROT_READ, unix.MAP_PRIVATE)
	require.Equal(t, unix.EINVAL, err)
	p.mmap(mapSize)
}

// A child does not inherit the mapping.
//
//covers:inherit
func TestForkWithoutMapping(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: binder.TF_ONE_WAY, payload: payload{text("hello")}})
	got := server.read().message(t)
	child := server.fork()
	_, err := child.ReadMemory(t, uintptr(got.buffer), 5)
	require.Equal(t, unix.EFAULT, err)
	again, err := server.ReadMemory(t, uintptr(got.buffer), 5)
	require.NoError(t, err)
	require.Equal(t, "hello", string(again))
}

// Nor does a child forked before another thread's mmap has returned.
//
//covers:inherit
func TestForkDuringMmap(t *testing.T) {
	runtime.LockOSThread() // All ptrace requests must come from one thread.
	defer runtime.UnlockOSThread()
	p := newUnmappedProcess(t)
	th := p.newBareThread()
	await := func() {
		var status unix.WaitStatus
		_, err := unix.Wait4(th.TID(), &status, unix.WALL, nil)
		require.NoError(t, err)
		require.True(t, status.Stopped(), "%#x", status)
	}
	mapped := func() bool {
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.pid()))
		require.NoError(t, err)
		return strings.Contains(string(maps), defaultDevice)
	}
	require.NoError(t, unix.PtraceAttach(th.TID()))
	defer unix.PtraceDetach(th.TID())
	await()
	th.Start(t, unix.SYS_MMAP, 0, mapSize, unix.PROT_READ, unix.MAP_PRIVATE, uintptr(p.fd), 0)
	// It stops at the beginning and the end of system calls.
	for !mapped() {
		require.NoError(t, unix.PtraceSyscall(th.TID(), 0))
		await()
	}
	child := p.fork()
	require.NoError(t, unix.PtraceDetach(th.TID()))
	addr, err := th.Wait(t)
	require.NoError(t, err)
	_, err = child.Call(t, unix.SYS_MADVISE, addr, mapSize, unix.MADV_DONTFORK)
	require.Equal(t, unix.ENOMEM, err, "nothing is mapped")
}

// Nor can the mapping be made inheritable.
//
//covers:inherit,remap
func TestMadviseDoFork(t *testing.T) {
	for _, flags := range []int{unix.MAP_PRIVATE, unix.MAP_SHARED} {
		t.Run(fmt.Sprint(flags), func(t *testing.T) {
			server, client := newMapped(t, flags), newProcess(t)
			_, err := server.Call(t, unix.SYS_MADVISE, server.mapStart, mapSize, unix.MADV_DOFORK)
			require.Equal(t, unix.EINVAL, err)
			server.Must(t, unix.SYS_MADVISE, server.mapStart, mapSize, unix.MADV_DONTFORK)
			_, err = server.Call(t, unix.SYS_MADVISE, server.mapStart, mapSize, unix.MADV_DOFORK)
			require.Equal(t, unix.EINVAL, err)
			got := hello(server, client)
			_, err = server.fork().ReadMemory(t, uintptr(got.buffer), 5)
			require.Equal(t, unix.EFAULT, err)
		})
	}
}

// The application cannot write to what it receives.
func TestMappingIsReadOnly(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: binder.TF_ONE_WAY, payload: payload{text("hello")}})
	got := server.read().message(t)
	require.Equal(t, unix.EFAULT, server.WriteMemory(t, uintptr(got.buffer), []byte("x")))
}

// Pages that no transaction has filled yet can't be read.
//
//covers:mmap,pages
func TestUntouchedPages(t *testing.T) {
	p := newProcess(t)
	_, err := p.ReadMemory(t, p.mapStart, 1)
	require.Equal(t, unix.EFAULT, err)
}

// Data arrives in private and in shared mappings.
func TestSharedMappingReceives(t *testing.T) {
	server, client := newUnmappedProcess(t), newProcess(t)
	_, err := server.tryMmap(server.fd, mapSize, unix.PROT_READ, unix.MAP_SHARED)
	require.NoError(t, err)
	server.becomeManager()
	client.write(bcTransaction{flags: binder.TF_ONE_WAY, payload: payload{text("hello")}})
	server.expect(brNoop, &message{flags: binder.TF_ONE_WAY, payload: payload{text("hello")}})
}

// A mapping of more than 4 MiB succeeds, but only its first 4 MiB are used.
func TestMmapClamp(t *testing.T) {
	const limit = 4 << 20
	for _, size := range []int{limit, limit + 4096, 8 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			server, client := newUnmappedProcess(t), newProcess(t)
			server.mmap(size)
			server.becomeManager()
			data := remote.Alloc(t, limit+8)
			copy(remote.Bytes(data+limit-4, 4), "last")
			send := func(length uint64) bcTransaction {
				return bcTransaction{edit: func(tr *binder.TransactionData) {
					tr.Buffer, tr.DataSize = uint64(data), length
				}}
			}
			client.write(send(limit + 8))
			client.expect(brNoop, brFailedReply)
			client.write(send(limit))
			got := server.read().message(t)
			require.EqualValues(t, server.mapStart, got.buffer)
			require.Len(t, got.data, limit)
			require.Equal(t, "last", string(got.data[limit-4:]))
		})
	}
}

// A mapping that is not a multiple of the page size is rounded up.
func TestMmapOddSize(t *testing.T) {
	server, client := newUnmappedProcess(t), newProcess(t)
	server.mmap(5000)
	server.becomeManager()
	client.write(bcTransaction{payload: payload{space(8192)}})
	require.Len(t, server.read().message(t).data, 8192)
}

// Nothing can be sent to a process that has not mapped its device: to the sender it is
// dead.
//
//covers:mmap,failures
func TestTransactionWithoutMapping(t *testing.T) {
	server, client := newUnmappedProcess(t), newProcess(t)
	server.becomeManager()
	client.write(bcTransaction{payload: payload{text("hello")}})
	client.expect(brNoop, brDeadReply)
	client.write(bcTransaction{flags: binder.TF_ONE_WAY})
	client.expect(brNoop, brDeadReply)
}

// Nothing can be sent to a process whose mapping has changed.
//
//covers:remap,failures
func TestTransactionAfterChangeOfMapping(t *testing.T) {
	for name, change := range map[string]func(p *process){
		"unmapped": func(p *process) { p.munmap() },
		"partly unmapped": func(p *process) {
			p.Must(p.t, unix.SYS_MUNMAP, p.mapStart+pageSize, pageSize)
		},
		"mapped over": func(p *process) {
			p.Must(p.t, unix.SYS_MMAP, p.mapStart, mapSize, unix.PROT_READ|unix.PROT_WRITE,
				unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED, ^uintptr(0), 0)
		},
		"partly mapped over": func(p *process) {
			p.Must(p.t, unix.SYS_MMAP, p.mapStart, pageSize, unix.PROT_READ|unix.PROT_WRITE,
				unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED, ^uintptr(0), 0)
		},
		"moved": func(p *process) {
			p.Must(p.t, unix.SYS_MREMAP, p.mapStart, mapSize, mapSize,
				unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED, p.mapStart-4*mapSize)
		},
		"shrunk": func(p *process) {
			p.Must(p.t, unix.SYS_MREMAP, p.mapStart, mapSize, mapSize/2, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, client := newManager(t), newProcess(t)
			change(server)
			client.write(bcTransaction{payload: payload{text("hello")}})
			if strings.HasPrefix(name, "partly") || name == "shrunk" {
				if differs(t, onNoMapping) {
					return
				}
			}
			want := brDeadReply
			if differs(t, onNoMapping) {
				want = brFailedReply
			}
			client.expect(brNoop, want)
			client.write(bcTransaction{flags: binder.TF_ONE_WAY})
			client.expect(brNoop, want)
		})
	}
}

// The mapping cannot grow in its place; elsewhere it can.
//
//covers:remap
func TestMremapGrow(t *testing.T) {
	p := newProcess(t)
	_, err := p.Call(t, unix.SYS_MREMAP, p.mapStart, mapSize, 2*mapSize, 0)
	require.Equal(t, unix.ENOMEM, err)
	p.Must(t, unix.SYS_MREMAP, p.mapStart, mapSize, 2*mapSize, unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED, p.mapStart-4*mapSize)
}

// A private mapping can't be copied.
//
//covers:remap
func TestMremapCopy(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	for _, flags := range []uintptr{0, unix.MREMAP_MAYMOVE, unix.MREMAP_MAYMOVE | unix.MREMAP_FIXED} {
		_, err := server.Call(t, unix.SYS_MREMAP, server.mapStart, 0, mapSize, flags, server.mapStart-4*mapSize)
		require.Equal(t, unix.EINVAL, err, "flags %#x", flags)
	}
	hello(server, client)
}

// A mapping can be moved and remain in place. What was received moves; the process still
// receives, as long as it has both.
//
//covers:remap
func TestMremapDontUnmap(t *testing.T) {
	for _, flags := range []int{unix.MAP_PRIVATE, unix.MAP_SHARED} {
		t.Run(fmt.Sprint(flags), func(t *testing.T) {
			server, client := newMapped(t, flags), newProcess(t)
			got := hello(server, client)
			moved := server.Must(t, unix.SYS_MREMAP, server.mapStart, mapSize, mapSize, unix.MREMAP_MAYMOVE|unix.MREMAP_DONTUNMAP, 0)
			require.NotEqual(t, server.mapStart, moved)
			there, err := server.ReadMemory(t, uintptr(got.buffer)-server.mapStart+moved, 5)
			require.NoError(t, err)
			require.Equal(t, "hello", string(there))
			client.write(bcTransaction{flags: oneWay})
			client.expect(brNoop, brTransactionComplete)
			server.Must(t, unix.SYS_MUNMAP, moved, mapSize)
			if differs(t, onNoMapping) {
				return
			}
			client.write(bcTransaction{flags: oneWay})
			client.expect(brNoop, brDeadReply)
		})
	}
}

// A caller without a mapping cannot receive a reply, even an empty one: the call fails,
// and the server is told that its reply is complete. Commands after the reply are not
// consumed.
//
//covers:mmap,failures
func TestReplyWithoutMapping(t *testing.T) {
	server, client := newManager(t), newUnmappedProcess(t)
	client.start(readSize, bcTransaction{})
	got := server.read().message(t)
	r := server.writeRead(0, bcReply{}, got.free())
	require.NoError(t, r.err)
	require.Equal(t, 4+binder.SizeOfTransactionData, r.writeConsumed)
	server.expect(brNoop, brTransactionComplete)
	want := brDeadReply
	if differs(t, onNoMapping) {
		want = brFailedReply
	}
	client.finishExpect(brNoop, brTransactionComplete, want)
}

// A mapping can be removed while it holds transactions, and their buffers freed
// afterwards.
//
//covers:remap
func TestMunmapWithBuffers(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	client.write(bcTransaction{flags: binder.TF_ONE_WAY, payload: payload{text("hello")}})
	got := server.read().message(t)
	server.munmap()
	server.write(got.free())
	client.expect(brNoop, brTransactionComplete)
}
