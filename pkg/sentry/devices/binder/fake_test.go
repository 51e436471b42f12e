// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/safemem"
	"gvisor.dev/gvisor/pkg/sentry/fsimpl/eventfd"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/memmap"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/sync"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/usermem"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// testVFS returns the VirtualFilesystem of all tests, for files without a path.
var testVFS = sync.OnceValue(func() *vfs.VirtualFilesystem {
	v := &vfs.VirtualFilesystem{}
	if err := v.Init(context.Background()); err != nil {
		panic(err)
	}
	return v
})

// world is a device and the applications that use it. They run in the test's own
// goroutine: an application acts when the test says so, and instead of sleeping, it calls
// thread.onBlock.
type world struct {
	t      testing.TB
	clock  *testClock
	driver *Driver
	tenant *Tenant
	domain *Domain
	ctx    *Context
	apps   []*app
	lastID int32

	// label is the own security context of new processes, if any.
	label string

	// logged is the messages in the kernel log.
	logged []string

	// deaf holds the processes that have missed something that the driver told them:
	// the read buffer of a thread was not mapped.
	deaf map[*Process]bool
}

// testLabel is the security context of all senders without one of their own.
const testLabel = "u:r:test:s0"

// newTenant returns a driver with one container.
func newTenant(clock tcpip.Clock) (*Driver, *Tenant) {
	d := NewDriver(clock, nil, "binder")
	d.StartContainer(ContainerInfo{ID: "id", Name: "name", SecurityContext: testLabel, MemoryLimit: math.MaxInt64})
	return d, d.tenants.get("id")
}

// pidOf returns the identity of a process where there's no kernel.
func pidOf(pid int32) identity { return identity{pid: pid, root: pid} }

// view returns what applications can see.
func (w *world) view() *View { return &View{domain: w.domain, tenant: w.tenant} }

// newWorld returns a world that must be empty once the test is done and its
// applications have ended.
func newWorld(t testing.TB) *world {
	clock := newTestClock()
	w := &world{t: t, clock: clock, deaf: make(map[*Process]bool)}
	w.driver, w.tenant = newTenant(clock)
	w.domain, w.ctx = w.tenant.dev, w.tenant.contexts["binder"]
	t.Cleanup(func() {
		w.closeAll()
		w.requireEmpty()
	})
	return w
}

// closeAll ends all applications.
func (w *world) closeAll() {
	for len(w.apps) > 0 {
		w.apps[0].close()
	}
}

// active returns the numbers of objects that the driver holds, by kind.
func (w *world) active() map[string]uint64 {
	active := make(map[string]uint64)
	for _, c := range w.domain.ObjectCounts() {
		active[c.Name] = c.Active
	}
	return active
}

// requireEmpty checks that the driver holds nothing.
func (w *world) requireEmpty() {
	w.t.Helper()
	for _, c := range w.domain.ObjectCounts() {
		require.Zero(w.t, c.Active, "objects of kind %s left over", c.Name)
	}
	require.Zero(w.t, w.tenant.account.Used(), "bytes left over")
	require.Equal(w.t, "binder state:\n", stateOf(w.view()))
	require.Zero(w.t, w.domain.procs.len())
	require.Zero(w.t, w.tenant.procs.len())
	require.Nil(w.t, w.ctx.managerNow())
}

// The layout of an app's memory, in bytes: the argument of an ioctl, the buffer for
// returns, and what is written, one thing after the other.
const (
	appMemory   = 64 << 10
	argAddr     = 0x100
	readAddr    = 0x1000
	readSize    = 0x1000
	arenaAddr   = readAddr + readSize
	badAddr     = 1 << 40
	testMapping = 64 << 10
	testMapAddr = 0x7f0000000000
)

// app is an application: a process with the device open and mapped.
type app struct {
	*Process
	w     *world
	euid  auth.KUID
	mem   appIO
	arena hostarch.Addr

	// files holds the app's open files, of which it may have maxFiles.
	files    map[int32]*vfs.FileDescription
	maxFiles int
}

// appIO is the memory of an app.
type appIO struct {
	usermem.BytesIO

	// onCopy is called, once, when the contents of a transaction are copied: the one
	// that the next ioctl's first command sends. copies counts what was copied before.
	onCopy func()
	copies int
}

func newAppIO(size int) appIO {
	return appIO{BytesIO: usermem.BytesIO{Bytes: make([]byte, size)}}
}

// CopyIn implements usermem.IO.CopyIn.
func (m *appIO) CopyIn(ctx context.Context, addr hostarch.Addr, dst []byte, opts usermem.IOOpts) (int, error) {
	if f := m.onCopy; f != nil {
		// The ioctl's argument and the commands come first.
		if m.copies++; m.copies == 3 {
			m.onCopy, m.copies = nil, 0
			f()
		}
	}
	return m.BytesIO.CopyIn(ctx, addr, dst, opts)
}

// open starts an application with a mapping of size bytes, or without one.
func (w *world) open(size uint64) *app {
	w.lastID++
	return w.openAs(w.lastID, size)
}

// openAs is open for process pid, which may have opened the device before.
func (w *world) openAs(pid int32, size uint64) *app {
	a := &app{
		Process:  must(w.ctx.open(w.tenant, nil, pidOf(pid), w.label, memorytest.Shared())),
		w:        w,
		euid:     auth.KUID(1000 + w.lastID),
		mem:      newAppIO(appMemory),
		arena:    arenaAddr,
		files:    make(map[int32]*vfs.FileDescription),
		maxFiles: 16,
	}
	w.apps = append(w.apps, a)
	if size != 0 {
		require.NoError(w.t, a.mapAt(testMapAddr, size))
	}
	return a
}

// newApp starts an application that is ready to communicate, and returns its only thread.
func (w *world) newApp() *thread { return w.open(testMapping).newThread() }

// newManager is newApp for the context manager.
func (w *world) newManager() *thread {
	th := w.newApp()
	require.NoError(w.t, th.ioctl(binder.BINDER_SET_CONTEXT_MGR, 0))
	return th
}

// give creates a node of owner's, and a strong reference to it for to, without a
// transaction. It returns the handle. The owner knows of both references.
func (w *world) give(owner, to *thread, ptr uint64) uint32 {
	w.t.Helper()
	p := owner.app.Process
	state := owner.state()
	o := nodeObject(ptr)
	o.Flags = binder.FLAT_BINDER_FLAG_ACCEPTS_FDS
	p.mu.Lock()
	n := p.mustAddNode(&o)
	p.mu.Unlock()
	handle, err := to.acquireNode(owner, n, true, state, to.account)
	require.NoError(w.t, err)
	state.interrupt()
	owner.expect(binder.BR_INCREFS, binder.BR_ACQUIRE)
	pc := binder.PtrCookie{Ptr: ptr, Cookie: testCookie(ptr)}
	owner.write(cmd(binder.BC_INCREFS_DONE, pc), cmd(binder.BC_ACQUIRE_DONE, pc))
	return handle
}

// mapAt maps size bytes of the device, rounded up to whole pages, at addr.
func (a *app) mapAt(addr hostarch.Addr, size uint64) error {
	ar, ok := addr.ToRange((size + hostarch.PageSize - 1) / hostarch.PageSize * hostarch.PageSize)
	require.True(a.w.t, ok)
	return a.AddMapping(memorytest.Context(), nil, ar, 0, false)
}

// close ends a, like the end of its process.
func (a *app) close() {
	for i, other := range a.w.apps {
		if other == a {
			a.w.apps = append(a.w.apps[:i], a.w.apps[i+1:]...)
			break
		}
	}
	ctx := memorytest.Context()
	for fd := range a.files {
		a.closeFile(fd)
	}
	a.flush()
	a.release(ctx)
}

// put stores b, until the next ioctl, where the driver can read it.
func (a *app) put(b []byte) uint64 {
	at := a.arena
	require.LessOrEqual(a.w.t, int(at)+len(b), len(a.mem.Bytes), "the app has too little memory")
	copy(a.mem.Bytes[at:], b)
	a.arena = (at + hostarch.Addr(len(b)) + 7) &^ 7
	return uint64(at)
}

// peek returns what a sees at address addr of its mapping, or a fault's error.
func (a *app) peek(addr, n uint64) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	first := (addr - testMapAddr) &^ (hostarch.PageSize - 1)
	end := (addr - testMapAddr + n + hostarch.PageSize - 1) &^ (hostarch.PageSize - 1)
	pages := memmap.MappableRange{Start: first, End: end}
	ts, err := a.Translate(memorytest.Context(), pages, pages, hostarch.Read)
	if err != nil {
		return nil, err
	}
	fr := ts[0].FileRange()
	fr.Start += addr - testMapAddr - first
	fr.End = fr.Start + n
	src, err := ts[0].File.MapInternal(fr, hostarch.Read)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	_, err = safemem.CopySeq(safemem.BlockSeqOf(safemem.BlockFromSafeSlice(b)), src)
	return b, err
}

// installFile installs file at a's lowest free descriptor, and takes over the reference.
func (a *app) installFile(file *vfs.FileDescription) int32 {
	fd := int32(3)
	for a.files[fd] != nil {
		fd++
	}
	a.files[fd] = file
	return fd
}

func (a *app) closeFile(fd int32) {
	file := a.files[fd]
	delete(a.files, fd)
	file.DecRef(memorytest.Context())
}

// newEventFile returns a file that has nothing to do with binder.
func newEventFile(t testing.TB) *vfs.FileDescription {
	file, err := eventfd.New(memorytest.Context(), testVFS(), 0, false, linux.O_RDWR)
	require.NoError(t, err)
	return file
}

// newDeviceFile returns an open device, all that is left of a process. It isn't one of
// w.apps.
func (w *world) newDeviceFile() (*vfs.FileDescription, *Process) {
	w.lastID++
	ctx := memorytest.Context()
	vd := testVFS().NewAnonVirtualDentry("[binder]")
	defer vd.DecRef(ctx)
	fd := &deviceFD{proc: w.ctx.mustOpen(w.tenant, w.lastID)}
	require.NoError(w.t, fd.vfsfd.Init(fd, linux.O_RDWR, auth.CredentialsFromContext(ctx), vd.Mount(), vd.Dentry(), &vfs.FileDescriptionOptions{
		UseDentryMetadata: true,
		SpecialFile:       true,
	}))
	return &fd.vfsfd, fd.proc
}

// errInterrupted is the error of Block.
var errInterrupted = errors.New("interrupted")

// thread is a thread of an app. It implements Task.
type thread struct {
	context.Context
	*app
	id   int32
	nice int

	// onBlock is called when the thread would sleep. If the thread has a reason to
	// wake up afterwards, it goes on; if not, it is interrupted: by a signal if
	// signaled is true.
	onBlock  func()
	signaled bool
	slept    int

	// nap is how long the thread sleeps if its sleep has a timeout.
	nap time.Duration
}

// newBareThread returns a thread that the driver doesn't know yet.
func (a *app) newBareThread() *thread {
	a.w.lastID++
	return &thread{Context: memorytest.Context(), app: a, id: a.w.lastID}
}

// newThread returns a thread that has made its first ioctl, so that its reads wait.
func (a *app) newThread() *thread {
	th := a.newBareThread()
	require.NoError(a.w.t, th.ioctl(binder.BINDER_VERSION, argAddr))
	return th
}

// newLooper returns a thread that has entered the looper.
func (a *app) newLooper() *thread {
	th := a.newBareThread()
	th.write(cmd(binder.BC_ENTER_LOOPER))
	return th
}

// state returns the driver's Thread of th.
//
// +checklocksignore
func (th *thread) state() *Thread {
	return th.app.inner.threads[th.id].Get()
}

// Block implements context.Blocker.Block.
func (th *thread) Block(c <-chan struct{}) error {
	th.slept++
	if f := th.onBlock; f != nil {
		f()
	}
	select {
	case <-c:
		return nil
	default:
		return errInterrupted
	}
}

// BlockWithTimeout implements context.Blocker.BlockWithTimeout. Each sleep takes th.nap,
// or the whole timeout.
func (th *thread) BlockWithTimeout(c chan struct{}, haveTimeout bool, timeout time.Duration) (time.Duration, error) {
	left := max(timeout-th.nap, 0)
	err := th.Block(c)
	if err != nil && left == 0 {
		err = linuxerr.ETIMEDOUT
	}
	return left, err
}

// ThreadID implements Task.ThreadID.
func (th *thread) ThreadID() int32 { return th.id }

// ProcessID implements Task.ProcessID.
func (th *thread) ProcessID(*Process) int32 { return th.pid }

// PIDOf implements Task.PIDOf.
func (th *thread) PIDOf(proc *Process) int32 { return proc.pid }

// View implements Task.View.
func (th *thread) View(proc *Process) *View {
	return &View{domain: proc.ctx.domain, tenant: th.w.tenant}
}

// UIDOf implements Task.UIDOf.
func (th *thread) UIDOf(kuid auth.KUID) auth.UID { return auth.UID(kuid) }

// EffectiveKUID implements Task.EffectiveKUID.
func (th *thread) EffectiveKUID() auth.KUID { return th.euid }

// Niceness implements Task.Niceness.
func (th *thread) Niceness() int { return th.nice }

// SetNiceness implements Task.SetNiceness.
func (th *thread) SetNiceness(n int) { th.nice = n }

// SignalPending implements Task.SignalPending.
func (th *thread) SignalPending() bool { return th.signaled }

// GetFile implements Task.GetFile.
func (th *thread) GetFile(fd int32) *vfs.FileDescription {
	file := th.files[fd]
	if file != nil {
		file.IncRef()
	}
	return file
}

// InstallFiles implements Task.InstallFiles.
func (th *thread) InstallFiles(files []*vfs.FileDescription) ([]int32, error) {
	if len(th.files)+len(files) > th.maxFiles {
		return nil, linuxerr.EMFILE
	}
	fds := make([]int32, len(files))
	for i, file := range files {
		file.IncRef()
		fds[i] = th.installFile(file)
	}
	return fds, nil
}

// Log implements Task.Log.
func (th *thread) Log(_ KernelLog, msg string) { th.w.logged = append(th.w.logged, msg) }

// CloseFile implements Task.CloseFile.
func (th *thread) CloseFile(fd int32) {
	if th.files[fd] != nil {
		_ = th.files[fd].OnClose(th)
		th.closeFile(fd)
	}
}

// ioctl makes an ioctl that does not sleep.
func (th *thread) ioctl(request uint32, arg hostarch.Addr) error {
	err := th.app.Process.ioctl(th, &th.mem, request, arg, true)
	th.arena = arenaAddr
	return err
}

// ioctlUint32 makes an ioctl with a pointer to n.
func (th *thread) ioctlUint32(request, n uint32) error {
	hostarch.ByteOrder.PutUint32(th.mem.Bytes[argAddr:], n)
	return th.ioctl(request, argAddr)
}

// outcome is the result of a BINDER_WRITE_READ.
type outcome struct {
	binder.WriteRead
	err     error
	returns []ret
}

// writeRead makes a BINDER_WRITE_READ that doesn't sleep. Its argument is wr.
func (th *thread) writeRead(wr binder.WriteRead) outcome {
	wr.MarshalUnsafe(th.mem.Bytes[argAddr:])
	out := outcome{err: th.ioctl(binder.BINDER_WRITE_READ, argAddr)}
	out.parse(th)
	return out
}

// parse sets out after the call.
func (out *outcome) parse(th *thread) {
	out.UnmarshalUnsafe(th.mem.Bytes[argAddr:])
	if out.ReadConsumed <= readSize {
		out.returns = parseReturns(th.w.t, th.mem.Bytes[readAddr:][:out.ReadConsumed])
	}
}

// try writes commands and reads nothing.
func (th *thread) try(cmds ...[]byte) outcome {
	return th.writeRead(th.writing(cmds))
}

// writing returns the argument to write cmds.
func (th *thread) writing(cmds [][]byte) binder.WriteRead {
	var all []byte
	for _, c := range cmds {
		all = append(all, c...)
	}
	return binder.WriteRead{WriteSize: uint64(len(all)), WriteBuffer: th.put(all)}
}

// write writes commands, all of which must be consumed.
func (th *thread) write(cmds ...[]byte) {
	th.w.t.Helper()
	out := th.try(cmds...)
	require.NoError(th.w.t, out.err)
	require.Equal(th.w.t, out.WriteSize, out.WriteConsumed)
}

// tryRead reads what is available.
func (th *thread) tryRead() outcome {
	return th.writeRead(binder.WriteRead{ReadSize: readSize, ReadBuffer: readAddr})
}

// read reads what is available, which must be something, and returns it without the
// BR_NOOP at its start.
func (th *thread) read() []ret {
	th.w.t.Helper()
	out := th.tryRead()
	require.NoError(th.w.t, out.err)
	require.NotEmpty(th.w.t, out.returns)
	require.Equal(th.w.t, "BR_NOOP", out.returns[0].String())
	return out.returns[1:]
}

// sleepRead makes a read that may sleep, and calls run if it does.
func (th *thread) sleepRead(run func()) outcome {
	th.onBlock = run
	defer func() { th.onBlock = nil }()
	wr := binder.WriteRead{ReadSize: readSize, ReadBuffer: readAddr}
	wr.MarshalUnsafe(th.mem.Bytes[argAddr:])
	out := outcome{err: th.app.Process.ioctl(th, &th.mem, binder.BINDER_WRITE_READ, argAddr, false)}
	out.parse(th)
	return out
}

// expect reads, and checks that it gets want.
func (th *thread) expect(want ...uint32) []ret {
	th.w.t.Helper()
	got := th.read()
	require.Equal(th.w.t, names(want), returnNames(got))
	return got
}

// expectNothing checks that th would sleep if it read.
func (th *thread) expectNothing() {
	th.w.t.Helper()
	out := th.tryRead()
	require.Equal(th.w.t, linuxerr.EAGAIN, out.err, "returns: %v", out.returns)
}

// expectTransaction reads a transaction or a reply and nothing else.
func (th *thread) expectTransaction(br uint32) received {
	th.w.t.Helper()
	return th.received(th.expect(br)[0])
}

// received is a transaction or a reply with its contents.
type received struct {
	binder.TransactionDataSecctx
	data    []byte
	offsets []byte
}

// received returns the transaction or reply of r.
func (th *thread) received(r ret) received {
	th.w.t.Helper()
	var got received
	var raw [binder.SizeOfTransactionDataSecctx]byte
	copy(raw[:], r.params)
	got.UnmarshalUnsafe(raw[:])
	td := got.TransactionData
	var err error
	got.data, err = th.peek(td.Buffer, td.DataSize)
	require.NoError(th.w.t, err)
	got.offsets, err = th.peek(td.Offsets, td.OffsetsSize)
	require.NoError(th.w.t, err)
	return got
}

// object returns the object at offset in the data.
func (r *received) object(offset int) binder.FlatObject {
	var o binder.FlatObject
	o.UnmarshalUnsafe(r.data[offset:])
	return o
}

// free returns the command that frees the buffer.
func (r *received) free() []byte {
	return cmd(binder.BC_FREE_BUFFER, r.TransactionData.Buffer)
}
