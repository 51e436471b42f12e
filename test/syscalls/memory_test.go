// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:pages
package syscalls

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/syscalls/remote"
)

// hello makes client send server a word, and returns it as server received it.
func hello(server, client *process) *message {
	server.t.Helper()
	client.write(bcTransaction{flags: oneWay, payload: payload{text("hello")}})
	client.expect(brNoop, brTransactionComplete)
	return server.read().message(server.t)
}

// newMapped returns a context manager whose mapping was made with flags.
func newMapped(t testing.TB, flags int) *process {
	t.Helper()
	p := newUnmappedProcess(t)
	addr, err := p.tryMmap(p.fd, mapSize, unix.PROT_READ, flags)
	require.NoError(t, err)
	p.mapStart, p.mapSize = addr, mapSize
	p.becomeManager()
	return p
}

// Memory without a buffer is freed after a while, or when Linux is told to shrink its
// caches. To the application it is as if it had never been used. A buffer next to it
// stays. When the memory is allocated again, it is zero.
func TestMemoryGoesBack(t *testing.T) {
	const size = 1 << 20
	server, client := newUnmappedProcess(t), newProcess(t)
	server.mmap(2 * size)
	server.becomeManager()
	receive := func(c byte, n uintptr) uintptr {
		data := remote.Alloc(t, int(n))
		copy(remote.Bytes(data, int(n)), bytes.Repeat([]byte{c}, int(n)))
		client.write(bcTransaction{edit: func(tr *binder.TransactionData) {
			tr.Buffer, tr.DataSize = uint64(data), uint64(n)
		}})
		m := server.read().message(t)
		require.Equal(t, bytes.Repeat([]byte{c}, int(n)), m.data)
		server.write(bcReply{})
		server.expect(brNoop, brTransactionComplete)
		answer := client.read()
		client.write(answer[len(answer)-1].(*message).free())
		return uintptr(m.buffer)
	}
	free := func(at uintptr) { server.write(bcFreeBuffer(uint64(at))) }

	before, held, after := receive('a', size/2), receive('b', 100), receive('c', size)
	free(before)
	free(after)
	if differs(t, onShrinker) {
		return
	}
	for _, at := range []uintptr{before, before + size/2 - pageSize, after + pageSize, after + size - pageSize} {
		eventually(t, "memory that nobody uses is gone", func() bool {
			shrinkCaches()
			_, err := server.ReadMemory(t, at, 1)
			if err != nil {
				require.Equal(t, unix.EFAULT, err)
			}
			return err != nil
		})
	}
	got, err := server.ReadMemory(t, held, 100)
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("b", 100), string(got))

	again := receive('d', 8)
	got, err = server.ReadMemory(t, again&^(pageSize-1), int(pageSize))
	require.NoError(t, err)
	require.NotContains(t, string(got), "a")
	require.NotContains(t, string(got), "c")
	free(again)
	free(held)
	free(receive('e', 2*size-4096))
}

// shrinkCaches makes Linux free memory that is only kept for later use.
func shrinkCaches() {
	_ = os.WriteFile("/proc/sys/vm/drop_caches", []byte("2"), 0)
}

// The mapping's offset in the file makes no difference.
//
//covers:mmap
func TestMmapOffset(t *testing.T) {
	server, client := newUnmappedProcess(t), newProcess(t)
	server.mapStart = server.Must(t, unix.SYS_MMAP, 0, mapSize, unix.PROT_READ, unix.MAP_PRIVATE, uintptr(server.fd), 1<<20)
	server.mapSize = mapSize
	server.becomeManager()
	require.Zero(t, server.offset(hello(server, client)))
}

// Populating or locking a mapping that shows nothing yet does no harm.
//
//covers:mmap
func TestMmapPopulate(t *testing.T) {
	for _, flag := range []int{unix.MAP_POPULATE, unix.MAP_LOCKED} {
		t.Run(fmt.Sprintf("%#x", flag), func(t *testing.T) {
			server, client := newMapped(t, unix.MAP_PRIVATE|flag), newProcess(t)
			_, err := server.ReadMemory(t, server.mapStart, 1)
			require.Equal(t, unix.EFAULT, err)
			hello(server, client)
		})
	}
}

// A mapping may be longer than its used part by any length. There is nothing beyond its
// first 4 MiB.
//
//covers:mmap,pages
func TestFarBeyondTheEnd(t *testing.T) {
	const far = 1 << 44
	server, client := newUnmappedProcess(t), newProcess(t)
	server.mmap(far + 1<<20)
	server.becomeManager()
	hello(server, client)
	for _, offset := range []uintptr{4 << 20, 1 << 32, far, far + 1<<20 - 1} {
		_, err := server.ReadMemory(t, server.mapStart+offset, 1)
		require.Equal(t, unix.EFAULT, err, "at %#x", offset)
	}
}

// Advice about the mapping doesn't affect senders.
//
//covers:remap
func TestMadvise(t *testing.T) {
	for name, advice := range map[string]uintptr{
		"sequential": unix.MADV_SEQUENTIAL,
		"will need":  unix.MADV_WILLNEED,
		"don't need": unix.MADV_DONTNEED,
		"don't fork": unix.MADV_DONTFORK,
		"don't dump": unix.MADV_DONTDUMP,
		"cold":       unix.MADV_COLD,
		"page out":   unix.MADV_PAGEOUT,
	} {
		for _, flags := range []int{unix.MAP_PRIVATE, unix.MAP_SHARED} {
			t.Run(fmt.Sprintf("%s/%d", name, flags), func(t *testing.T) {
				server, client := newMapped(t, flags), newProcess(t)
				server.Must(t, unix.SYS_MADVISE, server.mapStart, mapSize, advice)
				got := hello(server, client)
				server.Must(t, unix.SYS_MADVISE, server.mapStart+pageSize, mapSize-pageSize, advice)
				again, err := server.ReadMemory(t, uintptr(got.buffer), 5)
				require.NoError(t, err)
				require.Equal(t, "hello", string(again))
				server.write(got.free())
				hello(server, client)
				_, err = server.fork().ReadMemory(t, uintptr(got.buffer), 5)
				require.Equal(t, unix.EFAULT, err)
			})
		}
	}
}

// Advice that discards memory is refused.
//
//covers:remap
func TestMadviseRefused(t *testing.T) {
	for _, flags := range []int{unix.MAP_PRIVATE, unix.MAP_SHARED} {
		t.Run(fmt.Sprint(flags), func(t *testing.T) {
			server, client := newMapped(t, flags), newProcess(t)
			got := hello(server, client)
			_, err := server.Call(t, unix.SYS_MADVISE, server.mapStart, mapSize, unix.MADV_FREE)
			require.Equal(t, unix.EINVAL, err)
			_, err = server.Call(t, unix.SYS_MADVISE, server.mapStart, mapSize, unix.MADV_REMOVE)
			require.Equal(t, unix.EACCES, err)
			again, err := server.ReadMemory(t, uintptr(got.buffer), 5)
			require.NoError(t, err)
			require.Equal(t, "hello", string(again))
		})
	}
}

// A process receives in a mapping that it currently can't read.
//
//covers:remap
func TestReceiveWithoutAccess(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	server.Must(t, unix.SYS_MPROTECT, server.mapStart, mapSize, unix.PROT_NONE)
	client.write(bcTransaction{flags: oneWay, payload: payload{text("hello")}})
	client.expect(brNoop, brTransactionComplete)
	server.Must(t, unix.SYS_MPROTECT, server.mapStart, mapSize, unix.PROT_READ)
	server.expect(brNoop, &message{flags: oneWay, payload: payload{text("hello")}})
}

// A page that shows a buffer can be locked.
//
//covers:remap
func TestMlock(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	got := hello(server, client)
	server.Must(t, unix.SYS_MLOCK, server.mapStart, pageSize)
	server.write(got.free())
	got = hello(server, client)
	server.Must(t, unix.SYS_MUNLOCK, server.mapStart, pageSize)
	_, err := server.Call(t, unix.SYS_MLOCK, server.mapStart, mapSize)
	require.Equal(t, unix.ENOMEM, err, "pages that show nothing can't be locked")
	server.write(got.free())
	hello(server, client)
}

// A mapping that is moved onto itself stays.
//
//covers:remap
func TestMremapInPlace(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	require.Equal(t, server.mapStart, server.Must(t, unix.SYS_MREMAP, server.mapStart, mapSize, mapSize, unix.MREMAP_MAYMOVE))
	hello(server, client)
}

// Other processes, if they may trace this one, can read what it has received, and no
// more, and can't write it.
//
//covers:mmap,pages
func TestMappingReadByOthers(t *testing.T) {
	server, client := newManager(t), newProcess(t)
	got := hello(server, client)
	start, page := uint64(server.mapStart), uint64(pageSize)
	var buf [5]byte
	access := func(nr uintptr, addr uint64) (int, error) {
		local := unix.Iovec{Base: &buf[0], Len: uint64(len(buf))}
		far := unix.RemoteIovec{Base: uintptr(addr), Len: len(buf)}
		n, _, errno := unix.Syscall6(nr, uintptr(server.pid()), uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&far)), 1, 0)
		if errno != 0 {
			return 0, errno
		}
		return int(n), nil
	}
	n, err := access(unix.SYS_PROCESS_VM_READV, got.buffer)
	require.NoError(t, err)
	require.Equal(t, "hello", string(buf[:n]))
	n, err = access(unix.SYS_PROCESS_VM_READV, start+page-3)
	require.NoError(t, err)
	require.Equal(t, 3, n, "the next page is absent")
	_, err = access(unix.SYS_PROCESS_VM_READV, start+page)
	require.Equal(t, unix.EFAULT, err)
	_, err = access(unix.SYS_PROCESS_VM_WRITEV, got.buffer)
	require.Equal(t, unix.EFAULT, err)

	mem, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", server.pid()), os.O_RDWR, 0)
	require.NoError(t, err)
	defer mem.Close()
	_, err = mem.ReadAt(buf[:], int64(got.buffer))
	require.NoError(t, err)
	require.Equal(t, "hello", string(buf[:]))
	_, err = mem.ReadAt(buf[:], int64(start+page))
	require.ErrorIs(t, err, unix.EIO)
	_, err = mem.WriteAt([]byte("jello"), int64(got.buffer))
	require.ErrorIs(t, err, unix.EIO)
	again, err := server.ReadMemory(t, uintptr(got.buffer), 5)
	require.NoError(t, err)
	require.Equal(t, "hello", string(again))
}

// A debugger can read what a process has received, and no more, and can't write it.
//
//covers:mmap,pages
func TestMappingReadByDebugger(t *testing.T) {
	runtime.LockOSThread() // All ptrace requests must come from one thread.
	defer runtime.UnlockOSThread()
	server, client := newManager(t), newProcess(t)
	got := hello(server, client)
	require.NoError(t, unix.PtraceAttach(server.pid()))
	_, err := unix.Wait4(server.pid(), nil, 0, nil)
	require.NoError(t, err)
	var buf [8]byte
	_, err = unix.PtracePeekData(server.pid(), uintptr(got.buffer), buf[:])
	require.NoError(t, err)
	require.Equal(t, "hello", string(buf[:5]))
	_, err = unix.PtracePeekData(server.pid(), server.mapStart+pageSize, buf[:])
	require.Equal(t, unix.EIO, err)
	_, err = unix.PtracePokeData(server.pid(), uintptr(got.buffer), []byte("jello..."))
	require.Equal(t, unix.EIO, err)
	require.NoError(t, unix.PtraceDetach(server.pid()))
	again, err := server.ReadMemory(t, uintptr(got.buffer), 5)
	require.NoError(t, err)
	require.Equal(t, "hello", string(again))
}

// The mapping is in /proc/PID/maps, and what it shows counts in smaps.
//
//covers:mmap,pages
func TestMappingInProc(t *testing.T) {
	for flags, perms := range map[int]string{unix.MAP_PRIVATE: "r--p", unix.MAP_SHARED: "r--s"} {
		t.Run(perms, func(t *testing.T) {
			server, client := newMapped(t, flags), newProcess(t)
			rss := func() string {
				b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", server.pid()))
				require.NoError(t, err)
				_, entry, found := strings.Cut(string(b), fmt.Sprintf("%08x-%08x ", server.mapStart, server.mapStart+mapSize))
				require.True(t, found, "%s", b)
				head, rest, _ := strings.Cut(entry, "\n")
				fields := strings.Fields(head)
				require.Equal(t, []string{perms, "00000000"}, fields[:2])
				require.True(t, strings.HasSuffix(fields[4], "/binder"), head)
				_, size, _ := strings.Cut(rest, "\nRss:")
				size, _, _ = strings.Cut(size, "\n")
				return strings.TrimSpace(size)
			}
			require.Equal(t, "0 kB", rss())
			hello(server, client)
			require.Equal(t, fmt.Sprintf("%d kB", pageSize>>10), rss())
		})
	}
}

// A process can be killed during a write that would take too long to finish.
//
//covers:write-read,ends
func TestKilledInLongWrite(t *testing.T) {
	const chunk = 1 << 20
	chunks := 4096
	if isC || isRust {
		chunks = 8 // Linux finishes all of it before the process dies.
	}
	server, p := newManager(t), newProcess(t)
	// A call, which tells the server that the write is in progress, and then the same
	// commands again and again.
	page := pageSize
	at := p.Must(t, unix.SYS_MMAP, 0, page+uintptr(chunk*chunks), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON, ^uintptr(0), 0)
	commands := p.Must(t, unix.SYS_MEMFD_CREATE, p.str("commands"), 0)
	p.Must(t, unix.SYS_FTRUNCATE, commands, chunk)
	for i := range uintptr(chunks) {
		p.Must(t, unix.SYS_MMAP, at+page+i*chunk, chunk, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_FIXED, commands, 0)
	}
	enter := []byte(words(binder.BC_ENTER_LOOPER))
	scratch := p.Scratch()
	first := encodeCommands([]command{bcTransaction{flags: oneWay}}, &memory{next: scratch, end: scratch + remote.ScratchSize})
	for len(first) < int(page) {
		first = append(first, enter...)
	}
	require.NoError(t, p.WriteMemory(t, at, first))
	require.NoError(t, p.WriteMemory(t, at+page, bytes.Repeat(enter, chunk/len(enter))))

	p.newBareThread().startRaw(binder.WriteRead{WriteSize: 1 << 46, WriteBuffer: uint64(at)})
	server.expect(brNoop, &message{flags: oneWay})
	p.kill()
}
