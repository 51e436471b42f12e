// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/abi/linux"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/pgalloc"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/sync"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

var (
	hostileCommands = flag.Int64("commands", 0, "commands that TestHostile carries out, instead of ten million, or a million with the race detector")
	hostileSeed     = flag.Uint64("seed", 0, "seed of TestHostile, instead of one by the clock")
)

// A hostileStorm is processes that do whatever a process can do to the driver, as fast as
// they can: their threads run at once, and each step is random. Their requests make sense
// often enough to get far.
type hostileStorm struct {
	driver   *Driver
	tenant   *Tenant
	clock    *faketime.ManualClock
	contexts []*Context
	mf       *pgalloc.MemoryFile
	seed     uint64

	// files go from process to process. The storm holds a reference to each.
	files []*vfs.FileDescription

	// limit is the number of commands after which the storm ends, done the number
	// executed.
	limit int64
	done  atomic.Int64

	// steps counts ioctls, received the transactions received, refused the ioctls and
	// opens that failed for lack of memory, deaf the requests for death notifications
	// that did, and devicesSent the devices offered for sending.
	steps, received, refused, deaf, devicesSent atomic.Int64

	lastPID, lastTID atomic.Int32

	places []hostilePlace
}

// view returns what the processes can see.
func (s *hostileStorm) view() *View { return &View{domain: s.tenant.dev, tenant: s.tenant} }

// A hostilePlace runs one process after another.
type hostilePlace struct {
	mu  sync.Mutex
	app *hostileApp
}

const (
	hostilePlaces  = 6
	hostileThreads = 3
	hostileDevices = 3
	hostileFiles   = 16

	// hostileMemoryLimit is in bytes.
	hostileMemoryLimit = 1 << 20
)

// hostileApp is a process: what its threads share.
type hostileApp struct {
	storm *hostileStorm
	pid   int32

	mu sync.Mutex
	// files are the process's open files. The first ones are devices.
	files [hostileFiles]*vfs.FileDescription
}

// hostileFile is an open device.
type hostileFile struct {
	deviceFD

	// manager is true if the device became the context manager.
	manager atomic.Bool

	// mapped is the size of the mapping, in bytes.
	mapped uint64
}

// openDevice returns a device opened by process pid, and mapped if size is not zero, or nil
// if there's no memory for it.
func (s *hostileStorm) openDevice(c *Context, pid int32, size uint64) *vfs.FileDescription {
	p, err := c.open(s.tenant, nil, pidOf(pid), "", s.mf)
	if err != nil {
		s.refused.Add(1) // The account has no room.
		return nil
	}
	ctx := memorytest.Context()
	vd := testVFS().NewAnonVirtualDentry("[binder]")
	defer vd.DecRef(ctx)
	fd := &hostileFile{mapped: size}
	fd.proc = p
	if err := fd.vfsfd.Init(fd, linux.O_RDWR, auth.CredentialsFromContext(ctx), vd.Mount(), vd.Dentry(), &vfs.FileDescriptionOptions{
		UseDentryMetadata: true,
		SpecialFile:       true,
	}); err != nil {
		panic(err)
	}
	if size != 0 {
		pages := (size + hostarch.PageSize - 1) / hostarch.PageSize // as mmap(2) rounds
		ar, _ := hostarch.Addr(testMapAddr).ToRange(pages * hostarch.PageSize)
		if err := fd.proc.AddMapping(ctx, nil, ar, 0, false); err != nil {
			panic(err)
		}
	}
	return &fd.vfsfd
}

// newApp starts a process.
func (s *hostileStorm) newApp(random *rand.Rand) *hostileApp {
	a := &hostileApp{storm: s, pid: s.lastPID.Add(1)}
	first := random.IntN(len(s.contexts))
	for i := range 1 + random.IntN(2) {
		size := []uint64{4096, 16 << 10, 64 << 10, 256 << 10, 8 << 20, 0, 4096, 64 << 10}[random.IntN(8)]
		if random.IntN(4) != 0 {
			size = max(size, 16<<10)
		}
		a.files[i] = s.openDevice(s.contexts[(first+i)%len(s.contexts)], a.pid, size)
	}
	for i := 8; i < 12; i++ {
		file := s.files[random.IntN(len(s.files))]
		file.IncRef()
		a.files[i] = file
	}
	return a
}

// file returns a reference to file fd, or nil.
func (a *hostileApp) file(fd int32) *vfs.FileDescription {
	a.mu.Lock()
	defer a.mu.Unlock()
	if fd < 0 || int(fd) >= len(a.files) || a.files[fd] == nil {
		return nil
	}
	a.files[fd].IncRef()
	return a.files[fd]
}

// install takes over a reference to file, if there is room for it.
func (a *hostileApp) install(file *vfs.FileDescription) (int32, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.files {
		if a.files[i] == nil {
			a.files[i] = file
			return int32(i), true
		}
	}
	return 0, false
}

// closeFile closes file fd.
func (a *hostileApp) closeFile(s *hostileThread, fd int32) {
	if fd < 0 || int(fd) >= len(a.files) {
		return
	}
	a.mu.Lock()
	file := a.files[fd]
	a.files[fd] = nil
	a.mu.Unlock()
	if file != nil {
		_ = file.OnClose(s)
		file.DecRef(s)
	}
}

// live lets a process at place i live and end.
func (s *hostileStorm) live(i int, random *rand.Rand) {
	place := &s.places[i]
	a := s.newApp(random)
	place.mu.Lock()
	place.app = a
	place.mu.Unlock()
	steps := 1 + random.IntN(400)
	var alive sync.WaitGroup
	threads := make([]*hostileThread, hostileThreads)
	for j := range threads {
		threads[j] = newHostileThread(a, random.Uint64())
		alive.Go(func() { threads[j].run(steps) })
	}
	alive.Wait()
	place.mu.Lock()
	place.app = nil
	place.mu.Unlock()
	for fd := range int32(hostileFiles) {
		a.closeFile(threads[0], fd)
	}
}

func (s *hostileStorm) over() bool { return s.done.Load() >= s.limit }

// run runs the storm, and beside it goroutines that read the logs, let time pass, and
// measure how long locks are held. It returns the delays of calls that take a lock.
func (s *hostileStorm) run() *hostileDelays {
	var aside, all sync.WaitGroup
	over := make(chan struct{})
	every := func(d time.Duration, what func()) {
		aside.Go(func() {
			ticker := time.NewTicker(d)
			defer ticker.Stop()
			for {
				select {
				case <-over:
					return
				case <-ticker.C:
					what()
				}
			}
		})
	}
	every(20*time.Millisecond, func() { logsOf(s.view()) })
	every(5*time.Millisecond, func() {
		s.clock.Advance(flightPeriod)
		s.mf.StartEvictions()
	})
	limits := rand.New(rand.NewPCG(s.seed, 1<<33))
	every(3*time.Millisecond, func() { s.tenant.account.SetLimit(s.limitOf(limits)) })
	delays := newHostileDelays(s)
	every(time.Millisecond, delays.sample)
	every(10*time.Second, s.watchdog())
	for i := range s.places {
		random := rand.New(rand.NewPCG(s.seed, uint64(i)))
		all.Go(func() {
			for !s.over() {
				s.live(i, random)
			}
		})
	}
	all.Wait()
	close(over)
	aside.Wait()
	return delays
}

// limitOf returns a limit for the memory that the processes may make the driver keep, in
// bytes: mostly none, otherwise the amount in use, somewhat more, or less.
func (s *hostileStorm) limitOf(random *rand.Rand) int64 {
	switch random.IntN(16) {
	case 0:
		return hostileMemoryLimit
	case 1:
		return s.tenant.account.Used() + random.Int64N(64<<10)
	case 2:
		return s.tenant.account.Used() + random.Int64N(1<<10)
	case 3:
		return random.Int64N(hostileMemoryLimit)
	default:
		return math.MaxInt64
	}
}

// watchdog returns a function that ends the test after minutes without progress.
func (s *hostileStorm) watchdog() func() {
	const patience = 3 * time.Minute
	done, since := int64(-1), time.Now()
	return func() {
		if now := s.done.Load(); now != done {
			done, since = now, time.Now()
		} else if time.Since(since) > patience {
			_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
			panic(fmt.Sprintf("no command was executed for %v", patience))
		}
	}
}

// hostileDelays are the durations of ioctls that only take a lock of a process under
// attack.
type hostileDelays struct {
	storm  *hostileStorm
	random *rand.Rand
	self   *hostileThread

	samples, over1, over10 int
	longest                time.Duration
}

func newHostileDelays(s *hostileStorm) *hostileDelays {
	return &hostileDelays{
		storm:  s,
		random: rand.New(rand.NewPCG(s.seed, 1<<32)),
		self:   newHostileThread(&hostileApp{storm: s}, s.seed),
	}
}

// sample makes two ioctls by some process: the first takes the lock of its threads
// and nodes, the second that of its handles.
func (d *hostileDelays) sample() {
	place := &d.storm.places[d.random.IntN(len(d.storm.places))]
	place.mu.Lock()
	a := place.app
	place.mu.Unlock()
	if a == nil {
		return
	}
	file := a.file(0)
	if file == nil {
		return
	}
	defer file.DecRef(d.self)
	fd, ok := file.Impl().(*hostileFile)
	if !ok {
		return
	}
	d.self.calm = true
	for _, sample := range []func(){
		func() { _ = d.self.ioctl(fd.proc, binder.BINDER_SET_MAX_THREADS, hostileArg) },
		func() {
			d.self.put32(hostileWrite, binder.BC_DECREFS)
			d.self.put32(hostileWrite+4, 1<<31)
			d.self.writeRead(fd.proc, binder.WriteRead{WriteSize: 8, WriteBuffer: hostileWrite})
		},
	} {
		start := time.Now()
		sample()
		took := time.Since(start)
		d.samples++
		d.longest = max(d.longest, took)
		if took > time.Millisecond {
			d.over1++
		}
		if took > 10*time.Millisecond {
			d.over10++
		}
	}
}

func (d *hostileDelays) String() string {
	return fmt.Sprintf("of %d ioctls that take a lock %d took over 1 ms, %d over 10 ms; the longest took %v",
		d.samples, d.over1, d.over10, d.longest.Round(time.Microsecond))
}

// TestHostile attacks the driver from all sides. Once all processes are gone, nothing is
// left: no object, no file, no memory, no goroutine.
func TestHostile(t *testing.T) {
	limit, seed := *hostileCommands, *hostileSeed
	if limit == 0 {
		limit = 10_000_000
		switch {
		case testing.Short():
			limit = 200_000
		case sync.RaceEnabled:
			limit = 1_000_000
		}
	}
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	testVFS()
	clock := faketime.NewManualClock()
	driver, tenant := newTenant(clock)
	s := &hostileStorm{
		driver: driver,
		tenant: tenant,
		clock:  clock,
		mf:     memorytest.New(pgalloc.DelayedEvictionEnabled),
		seed:   seed,
		limit:  limit,
		places: make([]hostilePlace, hostilePlaces),
	}
	defer s.mf.Destroy()
	for i := range hostileDevices {
		s.contexts = append(s.contexts, s.tenant.dev.NewContext(fmt.Sprintf("binder%d", i)))
	}
	for range 32 {
		s.files = append(s.files, newEventFile(t))
	}
	goroutines := runtime.NumGoroutine()

	start := time.Now()
	delays := s.run()
	took := time.Since(start)
	done := s.done.Load()
	t.Logf("%d commands in %v, %.0f a second: %d processes, %d ioctls, %d transactions received",
		done, took.Round(time.Millisecond), float64(done)/took.Seconds(), s.lastPID.Load(), s.steps.Load(), s.received.Load())
	t.Logf("for lack of memory, %d ioctls and opens have failed, and %d requests for notifications; %d devices were sent",
		s.refused.Load(), s.deaf.Load(), s.devicesSent.Load())
	t.Log(delays)
	t.Logf("\n%s", readLog(s.view(), Log{Kind: LogStats}))
	t.Logf("%d devices are in flight to each other at the end", tenant.procs.len())
	eventually(t, "devices in flight end with those that they are in flight to", func() bool {
		clock.Advance(flightPeriod)
		return tenant.procs.len() == 0
	})
	s.requireNothingLeft(t, goroutines)
}

func (s *hostileStorm) requireNothingLeft(t *testing.T, goroutines int) {
	for _, c := range s.tenant.dev.ObjectCounts() {
		require.Zero(t, c.Active, "objects of kind %s left over", c.Name)
		require.NotZero(t, c.Total, "objects of kind %s ever created", c.Name)
	}
	require.Equal(t, "binder state:\n", stateOf(s.view()))
	require.Zero(t, s.tenant.procs.len())
	require.Zero(t, s.driver.flights.numQueued())
	require.Zero(t, s.tenant.account.Used(), "bytes left over")
	for i, file := range s.files {
		require.EqualValues(t, 1, file.ReadRefs(), "references to file %d", i)
		file.DecRef(memorytest.Context())
	}
	eventually(t, "the memory goes back", func() bool {
		usage, err := s.mf.TotalUsage()
		require.NoError(t, err)
		return usage == 0
	})
	eventually(t, "all goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
}

// eventually waits for a condition that nothing announces.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never true: %s", what)
		}
	}
}
