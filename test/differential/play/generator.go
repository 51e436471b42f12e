// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package play

import (
	"math/rand/v2"
	"slices"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/differential/program"
)

// Generator is a Source that generates a program.
type Generator struct {
	rng     *rand.Rand
	weights Weights
	steps   int
	queued  []program.Step
	procs   int
	mapping uint64
	// recent are the latest steps that have written commands.
	recent []program.Step
	// kept are the steps yet to be returned of those that replace a generated one. See
	// keep.
	kept []program.Step
	// cookies is the number of cookies that keepC has allocated.
	cookies uint64
}

// NewGenerator returns a generator of a seed's program.
func NewGenerator(seed uint64, options Options) *Generator {
	g := &Generator{rng: rand.New(rand.NewPCG(seed, 0))}
	g.weights = randomWeights(g.rng)
	g.steps = 30 + g.rng.IntN(60)
	g.procs = 2 + g.rng.IntN(program.Processes-1)
	g.mapping = pick[uint64](g.rng, 1<<12, 1<<13, 1<<14, 1<<16, 1<<17, 1<<17, 1<<17)
	if options.LikeRust {
		g.mapping = max(g.mapping, minMapping)
	}
	g.begin()
	return g
}

// NewAdapter returns a generator of a program that consists of steps, except for what
// options leave out.
func NewAdapter(steps []program.Step, options Options) *Generator {
	g := NewGenerator(0, options)
	g.steps = 0
	g.Begin(steps)
	return g
}

// Begin makes the program begin with steps instead of the usual ones.
func (g *Generator) Begin(steps []program.Step) {
	g.queued = slices.Clone(steps)
	for _, s := range steps {
		if s.P < program.Processes {
			g.procs = max(g.procs, s.P+1)
		}
	}
}

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// one returns true one time in n, on average.
func (g *Generator) one(n int) bool { return g.rng.IntN(n) == 0 }

// begin queues the steps with which programs usually begin.
func (g *Generator) begin() {
	for p := range g.procs {
		if g.one(60) {
			continue
		}
		g.queued = append(g.queued, program.Step{Op: program.Open, P: p})
		if !g.one(60) {
			g.queued = append(g.queued, program.Step{Op: program.Mmap, P: p, Arg: g.mapping})
		}
		if p == 0 && !g.one(60) {
			g.queued = append(g.queued, program.Step{Op: program.Ioctl, P: p, Arg: binder.BINDER_SET_CONTEXT_MGR})
		}
		for t := range 1 + g.rng.IntN(program.Threads) {
			if !g.one(10) {
				g.queued = append(g.queued, program.Step{Op: program.WriteRead, P: p, T: t,
					Write: []program.Command{{Code: binder.BC_ENTER_LOOPER}}})
			}
		}
	}
}

// Next implements Source.Next.
func (g *Generator) Next(w *World) (program.Step, bool) {
	if len(g.kept) == 0 {
		s, ok := g.next(w)
		if !ok {
			return s, false
		}
		g.kept = g.keep(w, s)
	}
	s := g.kept[0]
	g.kept = g.kept[1:]
	return s, true
}

// next returns the next step as generated, before keep.
func (g *Generator) next(w *World) (program.Step, bool) {
	if len(g.queued) > 0 {
		s := g.queued[0]
		g.queued = g.queued[1:]
		return s, true
	}
	if g.steps--; g.steps < 0 {
		return program.Step{}, false
	}
	if g.steps == 0 && g.one(4) {
		// Only as the last step: in Linux's C driver, reading a log creates work.
		return program.Step{Op: program.Log, Arg: uint64(g.rng.IntN(len(program.LogNames)) | g.rng.IntN(g.procs)<<8)}, true
	}
	s := g.step(w)
	if len(s.Write) > 0 {
		g.recent = append(g.recent[max(0, len(g.recent)-9):], s)
	}
	return s, true
}

// step generates a step.
func (g *Generator) step(w *World) program.Step {
	idle, asleep := w.threads(g.procs)
	if len(idle) == 0 || len(asleep) > 0 && g.one(12) {
		if len(asleep) == 0 {
			return program.Step{Op: program.Open, P: g.rng.IntN(g.procs)}
		}
		th := pick(g.rng, asleep...)
		s := program.Step{Op: program.Signal, P: th.proc.index, T: th.index}
		if g.one(4) {
			s.Op = program.Kill
		}
		return s
	}
	th := pick(g.rng, idle...)
	if g.one(g.weights.again) {
		for _, s := range g.recent {
			if s.P == th.proc.index && s.T == th.index {
				return s
			}
		}
	}
	// Prefer threads that have yet to reply to a call.
	for range 3 {
		if th.incoming > 0 {
			break
		}
		th = pick(g.rng, idle...)
	}
	s := program.Step{P: th.proc.index, T: th.index}
	if g.one(40) {
		s.Device = 1
	}
	dev := th.proc.devices[s.Device]
	if dev == nil {
		s.Op = program.Open
		if g.one(20) {
			s.Arg = uint64(g.rng.IntN(3))
		}
		if g.one(20) {
			s.Arg |= pick[uint64](g.rng, unix.O_NONBLOCK, unix.O_NONBLOCK, unix.O_DIRECT) << 8
			if th.proc.soiled {
				// If there is no free descriptor either, Linux and gVisor fail with
				// different errors: Linux allocates it first, gVisor last.
				s.Arg &^= unix.O_DIRECT << 8
			}
		}
		if !g.one(10) {
			g.queued = append(g.queued, program.Step{Op: program.Mmap, P: s.P, T: s.T, Device: s.Device, Arg: g.mapping})
		}
		return s
	}
	s.Op = weighted(g.rng, g.weights.ops[:], opTable).op
	switch s.Op {
	case program.WriteRead:
		g.writeRead(w, th, dev, &s)
	case program.Mmap:
		s.Arg = pick[uint64](g.rng, g.mapping, g.mapping, g.mapping, 1, 0, 5<<20)
		if g.one(5) {
			s.Arg |= pick[uint64](g.rng, unix.PROT_READ|unix.PROT_WRITE, unix.PROT_READ|unix.PROT_EXEC) << 32
		}
	case program.Munmap:
		s.Arg = pick[uint64](g.rng, 0, 0, 1, g.mapping/2)
	case program.Move:
		s.Arg = pick[uint64](g.rng, g.mapping, g.mapping, g.mapping/2, 2*g.mapping)
	case program.Peek:
		s.Arg = 8 * uint64(g.rng.IntN(int(g.mapping/8)))
	case program.Epoll:
		s.Arg = pick[uint64](g.rng, 0, 0, unix.EPOLLET, unix.EPOLLONESHOT)
	case program.CloseFile:
		s.Arg = uint64(program.FirstFile + g.rng.IntN(program.Files+3))
	case program.Nice:
		s.Arg = uint64(pick(g.rng, 0, 10, 20, 25, 30, 39, 40))
	case program.NonBlock:
		s.Arg = uint64(g.rng.IntN(2))
	case program.SetUser:
		s.Arg = pick[uint64](g.rng, 0, 1000, 1001)
		if g.one(3) {
			g.queued = append(g.queued, program.Step{Op: program.Ioctl, P: s.P, T: s.T, Device: s.Device, Arg: binder.BINDER_SET_CONTEXT_MGR})
		}
	case program.FileLimit:
		s.Arg = pick[uint64](g.rng, 0, 3, program.FirstFree+1, program.FirstFree+2, program.FirstFree+3, 64)
	case program.Ioctl:
		g.ioctl(&s)
	case program.Freeze:
		s.Arg = uint64(g.rng.IntN(g.procs)) | uint64(pick(g.rng, 0, 1, 1, 2))<<8 | uint64(pick(g.rng, 0, 0, 0, 1))<<16
	case program.Frozen:
		s.Arg = uint64(g.rng.IntN(g.procs + 1))
	case program.NodeInfo:
		s.Arg = uint64(g.handle(dev))
		if g.one(10) {
			s.Arg |= 1 << 32
		}
	case program.NodeDebug:
		if !g.one(3) {
			s.Arg, _ = g.node(th)
		}
	}
	if g.one(g.weights.rarity * 4) {
		s.Fault = pick(g.rng, program.ArgFault, program.ArgReadOnly)
	}
	return s
}

var requests = []uint64{
	binder.BINDER_SET_MAX_THREADS, binder.BINDER_SET_MAX_THREADS, binder.BINDER_SET_MAX_THREADS,
	binder.BINDER_THREAD_EXIT, binder.BINDER_THREAD_EXIT, binder.BINDER_THREAD_EXIT,
	binder.BINDER_SET_CONTEXT_MGR, binder.BINDER_SET_CONTEXT_MGR_EXT, binder.BINDER_VERSION,
	binder.BINDER_ENABLE_ONEWAY_SPAM_DETECTION, binder.BINDER_ENABLE_ONEWAY_SPAM_DETECTION,
	binder.BINDER_SET_IDLE_TIMEOUT, binder.BINDER_SET_IDLE_PRIORITY, 0, 0x1234, 0xffffffff,
}

func (g *Generator) ioctl(s *program.Step) {
	request := pick(g.rng, requests...)
	s.Arg = request | pick[uint64](g.rng, 0, 1, 2, 15)<<32
	if g.one(20) {
		s.Fault = pick(g.rng, program.ArgFault, program.ArgReadOnly)
	}
}

// writeRead generates the commands and the read buffer of a BINDER_WRITE_READ.
func (g *Generator) writeRead(w *World, th *thread, dev *device, s *program.Step) {
	writes := 0
	if !g.one(3) || th.incoming > 0 {
		writes = 1
		for g.one(4) && writes < 5 {
			writes++
		}
	}
	for range writes {
		s.Write = append(s.Write, g.command(th, dev))
	}
	if writes == 0 || g.one(2) {
		s.ReadSize = pick(g.rng, 256, 256, 256, 4096)
		if g.one(20) {
			s.ReadSize = pick(g.rng, 4, 8, 40, 76, 79, 80, 81, 148, 152, 156)
		}
	}
	if g.one(g.weights.rarity) {
		s.Fault = program.Fault(1 + g.rng.IntN(int(program.ReadEdge)))
	}
	if g.one(g.weights.rarity) {
		s.Excess = pick(g.rng, -1, -4, -8, 4)
	}
	if g.one(g.weights.rarity) {
		s.WriteConsumed = pick(g.rng, 4, 8, 68, 1<<20)
	}
	if g.one(g.weights.rarity) && s.ReadSize > 8 {
		s.ReadConsumed = max(0, pick(g.rng, 4, 8, s.ReadSize, s.ReadSize-76))
	}
}

// command generates a command.
func (g *Generator) command(th *thread, dev *device) program.Command {
	code := weighted(g.rng, g.weights.commands[:], commandTable).code
	if th.incoming > 0 && g.one(2) {
		code = pick[uint32](g.rng, binder.BC_REPLY, binder.BC_REPLY, binder.BC_REPLY_SG)
	}
	c := program.Command{Code: code, Handle: g.handle(dev)}
	switch code {
	case binder.BC_TRANSACTION, binder.BC_REPLY, binder.BC_TRANSACTION_SG, binder.BC_REPLY_SG:
		c.Transaction = g.transaction(th, dev)
		if code == binder.BC_TRANSACTION_SG || code == binder.BC_REPLY_SG {
			if !g.one(3) {
				c.Transaction.Parts = g.tree()
			}
			g.room(c.Transaction)
		}
		if code == binder.BC_REPLY || code == binder.BC_REPLY_SG {
			c.Handle = 0
		}
	case binder.BC_FREE_BUFFER:
		c.Handle = 0
		if has := dev.unfreed(); len(has) > 0 && !g.one(20) {
			c.Message = pick(g.rng, has...)
		} else {
			c.Message = g.rng.IntN(len(dev.messages) + 1)
		}
		if g.one(30) {
			c.Delta = pick[int64](g.rng, 8, -8, 1, 4096)
		}
	case binder.BC_INCREFS_DONE, binder.BC_ACQUIRE_DONE:
		c.Handle = 0
		switch {
		case len(dev.owed) > 0 && !g.one(4):
			c = pick(g.rng, dev.owed...)
		case len(dev.acknowledged) > 0 && g.one(2):
			c = pick(g.rng, dev.acknowledged...)
		default:
			c.Ptr, c.Cookie = g.node(th)
		}
	case binder.BC_REQUEST_DEATH_NOTIFICATION:
		c.Cookie = uint64(0xd0 + g.rng.IntN(8))
	case binder.BC_REQUEST_FREEZE_NOTIFICATION:
		c.Cookie = uint64(0xf0 + g.rng.IntN(8))
	case binder.BC_FREEZE_NOTIFICATION_DONE:
		c.Handle = 0
		if len(dev.frozen) > 0 && !g.one(20) {
			c.Cookie = pick(g.rng, dev.frozen...)
		} else {
			c.Cookie = uint64(0xf0 + g.rng.IntN(8))
		}
	case binder.BC_CLEAR_DEATH_NOTIFICATION, binder.BC_CLEAR_FREEZE_NOTIFICATION:
		if len(dev.watched) > 0 && !g.one(10) {
			watched := pick(g.rng, dev.watched...)
			c.Handle, c.Cookie = watched.Handle, watched.Cookie
		} else {
			c.Cookie = uint64(0xd0 + g.rng.IntN(8))
		}
	case binder.BC_DEAD_BINDER_DONE:
		c.Handle = 0
		if len(dev.deaths) > 0 && !g.one(20) {
			c.Cookie = pick(g.rng, dev.deaths...)
		} else {
			c.Cookie = uint64(0xd0 + g.rng.IntN(8))
		}
	case binder.BC_REGISTER_LOOPER, binder.BC_ENTER_LOOPER, binder.BC_EXIT_LOOPER:
		c.Handle = 0
	}
	return c
}

// handle returns a handle, usually one that dev's process knows.
func (g *Generator) handle(dev *device) uint32 {
	if len(dev.handles) > 0 && !g.one(4) {
		return pick(g.rng, dev.handles...)
	}
	if g.one(12) {
		return uint32(g.rng.IntN(6))
	}
	return 0
}

// node returns the address and the cookie of a node of th's process.
func (g *Generator) node(th *thread) (ptr, cookie uint64) {
	ptr = uint64(0x1000*(th.proc.index+1) + 0x10*g.rng.IntN(g.weights.nodes))
	cookie = ptr + 1
	if g.one(60) {
		cookie++
	}
	return ptr, cookie
}

func (g *Generator) transaction(th *thread, dev *device) *program.Transaction {
	t := &program.Transaction{Code: uint32(g.rng.IntN(100)), Flags: binder.TF_ACCEPT_FDS}
	if g.one(g.weights.oneWay) {
		t.Flags |= binder.TF_ONE_WAY
	}
	if g.one(g.weights.update) {
		t.Flags |= binder.TF_UPDATE_TXN
	}
	if g.one(8) {
		t.Flags ^= pick[uint32](g.rng, binder.TF_ACCEPT_FDS, binder.TF_ROOT_OBJECT, binder.TF_STATUS_CODE, binder.TF_CLEAR_BUF, 0x80000000)
	}
	if g.one(6) {
		t.Parts = []program.Part{{Bytes: g.size()}}
		return t
	}
	for !g.one(1+g.weights.parts) && len(t.Parts) < 4*g.weights.parts {
		if g.one(3) {
			t.Parts = append(t.Parts, program.Part{Words: []uint32{g.rng.Uint32(), 7}[:1+g.rng.IntN(2)]})
			continue
		}
		t.Parts = append(t.Parts, g.object(th, dev))
	}
	g.family(t)
	if g.one(g.weights.rarity) {
		g.breakTransaction(t)
	}
	return t
}

// size returns the size of a payload without objects.
func (g *Generator) size() int {
	m := int(g.mapping)
	return max(1, pick(g.rng, 1, 8, 100, 4096, m/4, m/2, m/2+8, m/2-8, m, m+1, m-8, g.rng.IntN(m)))
}

// object generates an object.
func (g *Generator) object(th *thread, dev *device) program.Part {
	o := program.Part{Type: weighted(g.rng, g.weights.objects[:], objectTable).code, Flags: binder.FLAT_BINDER_FLAG_ACCEPTS_FDS}
	if g.one(6) {
		o.Flags ^= pick[uint32](g.rng, binder.FLAT_BINDER_FLAG_ACCEPTS_FDS, binder.FLAT_BINDER_FLAG_TXN_SECURITY_CTX, binder.FLAT_BINDER_FLAG_INHERIT_RT, 0x7f, 0xf0000000)
	}
	switch o.Type {
	case binder.BINDER_TYPE_BINDER, binder.BINDER_TYPE_WEAK_BINDER:
		o.Binder, o.Cookie = g.node(th)
	case binder.BINDER_TYPE_HANDLE, binder.BINDER_TYPE_WEAK_HANDLE:
		o.Binder = uint64(g.handle(dev))
		if g.one(20) {
			o.Binder |= 0xabcd << 32
		}
	case binder.BINDER_TYPE_FD:
		o.Binder = uint64(program.FirstFile + g.rng.IntN(program.Files-1))
		if g.one(8) {
			o.Binder = pick[uint64](g.rng, noFD, 0xffffffff, uint64(dev.fd), program.FirstFree-1)
		}
	}
	return o
}

// family gives PTR objects contents, and PTR and FDA objects parents.
func (g *Generator) family(t *program.Transaction) {
	index := uint64(0)
	var ptrs []uint64
	for i := range t.Parts {
		o := &t.Parts[i]
		if o.Type == 0 {
			continue
		}
		parent := func() {
			if len(ptrs) > 0 && !g.one(15) {
				o.Parent = pick(g.rng, ptrs[max(0, len(ptrs)-2):]...)
			} else {
				o.Parent = uint64(g.rng.IntN(4))
			}
			o.ParentOffset = pick[uint64](g.rng, 0, 0, 8, 8, 16, 24, 4, 100)
		}
		switch o.Type {
		case binder.BINDER_TYPE_PTR:
			o.Flags, o.Binder, o.Cookie = 0, 0, 0
			for range pick(g.rng, 0, 1, 2, 4, 8, 8, 9) {
				// Numbers that may be descriptors.
				o.Content = append(o.Content, uint32(pick(g.rng, 3, 4, 5, 3, 4, 5, 3, 4, 5, 3, 4, 5, 6, 999)))
			}
			if len(ptrs) > 0 && !g.one(3) {
				o.Flags = binder.BINDER_BUFFER_FLAG_HAS_PARENT
				parent()
			}
			if g.one(g.weights.rarity) {
				o.Length = pick[uint64](g.rng, 1, 7, 64, 1<<40, 1<<63)
			}
			if g.one(g.weights.rarity) {
				o.Flags ^= 2
			}
			ptrs = append(ptrs, index)
		case binder.BINDER_TYPE_FDA:
			o.Flags = 0
			o.Binder = pick[uint64](g.rng, 0, 1, 1, 2, 2, 3, 4, 1<<62)
			o.Cookie = 0
			parent()
		}
		index++
	}
}

// tree returns a mostly well-formed tree of PTR objects and arrays of descriptors.
func (g *Generator) tree() []program.Part {
	content := func() []uint32 {
		var c []uint32
		for range 2 * (2 + g.rng.IntN(4)) {
			c = append(c, uint32(program.FirstFile+g.rng.IntN(program.Files-1)))
		}
		return c
	}
	root := program.Part{Type: binder.BINDER_TYPE_PTR, Content: content()}
	if !g.one(8) {
		// The C driver does not accept a parent at the start of the data.
		root.Words = []uint32{7, 7}
	}
	parts := []program.Part{root}
	parent, next := uint64(0), uint64(0)
	for range g.rng.IntN(4) {
		room := uint64(4*len(parts[parent].Content)) - next
		if room < 8 {
			break
		}
		if g.one(3) {
			parts = append(parts, program.Part{Type: binder.BINDER_TYPE_FDA, Parent: parent, ParentOffset: next, Binder: 1 + uint64(g.rng.IntN(int(room/4)))})
			next += (4*parts[len(parts)-1].Binder + 7) &^ 7
			continue
		}
		parts = append(parts, program.Part{Type: binder.BINDER_TYPE_PTR, Flags: binder.BINDER_BUFFER_FLAG_HAS_PARENT,
			Parent: parent, ParentOffset: next, Content: content()})
		next += 8
		if g.one(3) {
			parent, next = uint64(len(parts)-1), 0
		}
	}
	if g.one(8) {
		o := &parts[g.rng.IntN(len(parts))]
		switch g.rng.IntN(6) {
		case 0:
			o.ParentOffset += pick[uint64](g.rng, 2, 4, 8, 1000)
		case 1:
			o.Parent++
		case 2:
			o.Flags ^= binder.BINDER_BUFFER_FLAG_HAS_PARENT
		case 3:
			o.Binder = pick[uint64](g.rng, 0, o.Binder+1, 1<<62)
		case 4:
			// There is no memory at the address.
			o.Content, o.Length = nil, 64
		case 5:
			last := len(parts) - 1
			parts[max(0, last-1)], parts[last] = parts[last], parts[max(0, last-1)]
		}
	}
	return parts
}

// room sets buffers_size to what a transaction's PTR objects need, or, now and then, to
// something else.
func (g *Generator) room(t *program.Transaction) {
	for _, o := range t.Parts {
		if o.Type == binder.BINDER_TYPE_PTR {
			t.Extra += int64(4*len(o.Content)+7) &^ 7
		}
	}
	if g.one(6) {
		t.Extra += pick[int64](g.rng, 8, -8, 4, 64, 1<<40)
	}
}

// breakTransaction makes a transaction malformed.
func (g *Generator) breakTransaction(t *program.Transaction) {
	switch g.rng.IntN(6) {
	case 0:
		t.DataFault = true
	case 1:
		t.OffsetsFault = true
	case 2:
		t.DataExcess = pick[int64](g.rng, -1, -4, -8, 4, 1<<40, -1<<62)
	case 3:
		t.OffsetsExcess = pick[int64](g.rng, -1, -8, 4, 8, 1<<40)
	case 4:
		t.Offsets = pick(g.rng, []uint64{0}, []uint64{0, 0}, []uint64{24, 0}, []uint64{4}, []uint64{1}, []uint64{1 << 40}, []uint64{0, 20})
	case 5:
		if len(t.Parts) > 0 {
			t.Parts[len(t.Parts)-1].Cut = pick(g.rng, 4, 8, 20)
		}
	}
}

// threads returns the idle and the sleeping threads of the first n processes and of
// forked ones.
func (w *World) threads(n int) (idle, asleep []*thread) {
	for i, p := range w.procs {
		if p == nil || i >= n && i < program.Processes {
			continue
		}
		for _, th := range p.threads {
			if th.pending == nil {
				idle = append(idle, th)
			} else {
				asleep = append(asleep, th)
			}
		}
	}
	return idle, asleep
}
