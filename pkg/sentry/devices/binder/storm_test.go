// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"encoding/binary"
	"flag"
	"math/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/errors/linuxerr"
	"gvisor.dev/gvisor/pkg/hostarch"
	"gvisor.dev/gvisor/pkg/sentry/kernel/auth"
	"gvisor.dev/gvisor/pkg/sentry/vfs"
	"gvisor.dev/gvisor/pkg/sync"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/waiter"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

var stormLives = flag.Int("storm-lives", 60, "processes that TestStorm starts, one after the other, in each of its six places")

// stormThread is a Task that runs beside others, with its own memory, and acts at random.
type stormThread struct {
	context.Context
	appIO

	id     int32
	p      *Process
	random *rand.Rand

	// answers are the commands that answer what was read.
	answers []byte

	signaled bool
}

const (
	stormMemory   = 64 << 10
	stormArg      = 0x100
	stormRead     = 0x1000
	stormContents = 0x4000
)

// Block implements Task.Block. It is interrupted by chance.
func (s *stormThread) Block(c <-chan struct{}) error {
	timer := time.NewTimer(time.Duration(s.random.Intn(300)) * time.Microsecond)
	defer timer.Stop()
	select {
	case <-c:
		return nil
	case <-timer.C:
		s.signaled = s.random.Intn(2) == 0
		return errInterrupted
	}
}

// BlockWithTimeout implements context.Blocker.BlockWithTimeout.
func (s *stormThread) BlockWithTimeout(c chan struct{}, _ bool, timeout time.Duration) (time.Duration, error) {
	err := s.Block(c)
	if err != nil && s.oneIn(2) {
		return 0, linuxerr.ETIMEDOUT
	}
	return timeout, err
}

// ThreadID implements Task.ThreadID.
func (s *stormThread) ThreadID() int32 { return s.id }

// ProcessID implements Task.ProcessID.
func (s *stormThread) ProcessID(*Process) int32 { return s.p.pid }

// PIDOf implements Task.PIDOf.
func (s *stormThread) PIDOf(proc *Process) int32 { return proc.pid }

// View implements Task.View.
func (s *stormThread) View(proc *Process) *View {
	return &View{domain: proc.ctx.domain, tenant: s.p.tenant}
}

// Niceness implements Task.Niceness.
func (s *stormThread) Niceness() int { return 0 }

// SetNiceness implements Task.SetNiceness.
func (s *stormThread) SetNiceness(int) {}

// UIDOf implements Task.UIDOf.
func (s *stormThread) UIDOf(kuid auth.KUID) auth.UID { return auth.UID(kuid) }

// EffectiveKUID implements Task.EffectiveKUID.
func (s *stormThread) EffectiveKUID() auth.KUID { return auth.RootKUID }

// SignalPending implements Task.SignalPending.
func (s *stormThread) SignalPending() bool { return s.signaled }

// GetFile implements Task.GetFile.
func (s *stormThread) GetFile(int32) *vfs.FileDescription { return nil }

// InstallFiles implements Task.InstallFiles.
func (s *stormThread) InstallFiles([]*vfs.FileDescription) ([]int32, error) {
	return nil, errInterrupted
}

// CloseFile implements Task.CloseFile.
func (s *stormThread) CloseFile(int32) {}

// Log implements Task.Log.
func (s *stormThread) Log(KernelLog, string) {}

func (s *stormThread) oneIn(n int) bool { return s.random.Intn(n) == 0 }

// handle returns a handle that the thread may have.
func (s *stormThread) handle() uint32 { return uint32(s.random.Intn(4)) }

// message returns a command that sends objects of all kinds. The contents replace those of
// the last one, which may not have been sent yet.
func (s *stormThread) message(code uint32) []byte {
	var parts []any
	block := binder.BufferObject{Type: binder.BINDER_TYPE_PTR, Buffer: stormContents, Length: 16}
	child := block
	child.Flags, child.Parent = binder.BINDER_BUFFER_FLAG_HAS_PARENT, 0
	for range s.random.Intn(4) {
		ptr := uint64(1 + s.random.Intn(4))
		parts = append(parts, []any{
			nodeObject(ptr), weakNodeObject(ptr), handleObject(s.handle()), weakHandleObject(s.handle()), "somedata", block, child,
		}[s.random.Intn(7)])
	}
	contents := parcel(parts...)
	offsets := must(binary.Append(nil, binary.LittleEndian, contents.offsets))
	n := copy(s.Bytes[stormContents:], contents.data)
	copy(s.Bytes[stormContents+n:], offsets)
	td := binder.TransactionData{
		Target: uint64(s.handle()),
		Flags: []uint32{0, binder.TF_ONE_WAY, binder.TF_CLEAR_BUF, binder.TF_ONE_WAY | binder.TF_UPDATE_TXN}[s.random.Intn(4)] |
			uint32(s.random.Intn(2))*binder.TF_DEFER_COMPLETE,
		DataSize:    uint64(len(contents.data)),
		OffsetsSize: uint64(len(offsets)),
		Buffer:      stormContents,
		Offsets:     stormContents + uint64(n),
	}
	if s.oneIn(2) {
		return cmd(code, td)
	}
	return cmd(code+binder.BC_TRANSACTION_SG-binder.BC_TRANSACTION, td, uint64(48))
}

// command returns a command of any kind.
func (s *stormThread) command() []byte {
	h := s.handle()
	switch s.random.Intn(11) {
	case 0:
		return cmd(binder.BC_INCREFS, h)
	case 1:
		return cmd(binder.BC_ACQUIRE, h)
	case 2:
		return cmd(binder.BC_RELEASE, h)
	case 3:
		return cmd(binder.BC_REQUEST_DEATH_NOTIFICATION, h, uint64(h))
	case 4:
		return cmd(binder.BC_CLEAR_DEATH_NOTIFICATION, h, uint64(h))
	case 5:
		return cmd(binder.BC_ENTER_LOOPER)
	case 6:
		return s.message(binder.BC_REPLY)
	case 7:
		return cmd(binder.BC_REQUEST_FREEZE_NOTIFICATION, h, uint64(h))
	case 8:
		return cmd(binder.BC_CLEAR_FREEZE_NOTIFICATION, h, uint64(h))
	default:
		return s.message(binder.BC_TRANSACTION)
	}
}

// step writes and reads once, and does one of the rarer things.
func (s *stormThread) step() {
	s.signaled = false
	commands := s.answers
	for range s.random.Intn(3) {
		commands = append(commands, s.command()...)
	}
	const writeAt = stormContents + 0x4000
	wr := binder.WriteRead{
		WriteSize:   uint64(copy(s.Bytes[writeAt:], commands)),
		WriteBuffer: writeAt,
		ReadSize:    []uint64{0, 4, 80, 200, stormContents - stormRead}[s.random.Intn(5)],
		ReadBuffer:  stormRead,
	}
	wr.MarshalUnsafe(s.Bytes[stormArg:])
	// Failures are part of it.
	_ = s.p.ioctl(s, &s.appIO, binder.BINDER_WRITE_READ, stormArg, s.oneIn(3))
	wr.UnmarshalUnsafe(s.Bytes[stormArg:])
	s.answer(s.Bytes[stormRead:][:wr.ReadConsumed])

	switch s.random.Intn(100) {
	case 0:
		_ = s.p.ioctl(s, &s.appIO, binder.BINDER_THREAD_EXIT, 0, false)
	case 1, 2:
		s.p.flush()
	case 3, 4, 5, 6, 7:
		_ = s.p.ioctl(s, &s.appIO, binder.BINDER_SET_CONTEXT_MGR, 0, false)
	case 8, 9, 10, 11:
		s.freeze()
	default:
		s.p.readinessFor(s.ThreadID())
	}
}

// freeze freezes or thaws a process that may exist.
func (s *stormThread) freeze() {
	info := binder.FreezeInfo{
		PID:       uint32(s.p.pid) - uint32(s.random.Intn(6)),
		Enable:    uint32(s.random.Intn(2)),
		TimeoutMS: uint32(s.random.Intn(2)),
	}
	info.MarshalUnsafe(s.Bytes[stormArg:])
	_ = s.p.ioctl(s, &s.appIO, binder.BINDER_FREEZE, stormArg, false)
	_ = s.p.ioctl(s, &s.appIO, binder.BINDER_GET_FROZEN_INFO, stormArg, false)
}

// answer adds the answers to the returns in b, except for some that it forgets.
func (s *stormThread) answer(b []byte) {
	s.answers = nil
	for len(b) != 0 {
		br := binary.LittleEndian.Uint32(b)
		params := b[4:][:binder.CommandSize(br)]
		b = b[4+len(params):]
		switch br {
		case binder.BR_INCREFS:
			s.answers = append(append(s.answers, cmd(binder.BC_INCREFS_DONE)...), params...)
		case binder.BR_ACQUIRE:
			s.answers = append(append(s.answers, cmd(binder.BC_ACQUIRE_DONE)...), params...)
		case binder.BR_DEAD_BINDER:
			s.answers = append(append(s.answers, cmd(binder.BC_DEAD_BINDER_DONE)...), params...)
		case binder.BR_FROZEN_BINDER:
			s.answers = append(append(s.answers, cmd(binder.BC_FREEZE_NOTIFICATION_DONE)...), params[:8]...)
		case binder.BR_TRANSACTION, binder.BR_REPLY:
			var tr binder.TransactionData
			tr.UnmarshalUnsafe(params)
			if !s.oneIn(10) {
				s.answers = append(s.answers, cmd(binder.BC_FREE_BUFFER, tr.Buffer)...)
			}
			if br == binder.BR_TRANSACTION && tr.Flags&binder.TF_ONE_WAY == 0 && !s.oneIn(6) {
				s.answers = append(s.answers, s.message(binder.BC_REPLY)...)
			}
		}
	}
}

// TestStorm lets threads of several processes do, at random and at once, what threads can
// do, while the processes come and go, under the race detector's eyes. Nothing is left at
// the end.
func TestStorm(t *testing.T) {
	const places, threads, steps = 6, 3, 150
	_, tenant := newTenant(tcpip.NewStdClock())
	ctx, view := tenant.contexts["binder"], &View{domain: tenant.dev, tenant: tenant}
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)

	var all sync.WaitGroup
	for place := range places {
		all.Go(func() {
			for life := range *stormLives {
				pid := int32(1 + place + places*life)
				p := ctx.mustOpen(tenant, pid)
				ar, _ := hostarch.Addr(testMapAddr).ToRange(4 * hostarch.PageSize)
				if err := p.AddMapping(memorytest.Context(), nil, ar, 0, false); err != nil {
					t.Error(err)
				}
				poller, _ := waiter.NewChannelEntry(waiter.ReadableEvents)
				p.pollers.EventRegister(&poller)
				var alive sync.WaitGroup
				for i := range threads {
					s := &stormThread{
						Context: memorytest.Context(),
						appIO:   newAppIO(stormMemory),
						id:      pid*threads + int32(i),
						p:       p,
						random:  rand.New(rand.NewSource(seed + int64(pid)*threads + int64(i))),
					}
					alive.Go(func() {
						for range s.random.Intn(2 * steps) {
							s.step()
						}
					})
				}
				alive.Wait()
				p.pollers.EventUnregister(&poller)
				p.release(memorytest.Context())
			}
		})
	}
	over := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				logsOf(view)
			}
		}
	})
	all.Wait()
	close(over)
	reader.Wait()
	require.Equal(t, "binder state:\n", stateOf(view))
	require.Zero(t, tenant.procs.len())
	for _, c := range tenant.dev.ObjectCounts() {
		require.Zero(t, c.Active, c.Name)
		require.NotZero(t, c.Total, c.Name)
	}
}
