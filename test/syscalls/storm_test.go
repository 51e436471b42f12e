// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

//covers:counters
package syscalls

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
)

var (
	stormDuration = flag.Duration("storm", 3*time.Second, "how long TestStorm kills processes; 60s in the long run")
	stormSize     = flag.Int("storm-processes", 50, "how many processes TestStorm keeps alive; 200 in the long run")
	stormSeed     = flag.Uint64("storm-seed", uint64(time.Now().UnixNano()), "the seed of TestStorm's choices")
)

// Codes of the storm's server.
const (
	stormEcho     = 1 // answers with the same data, backwards
	stormRegister = 2 // keeps the node that is sent, and requests its death
	stormCallback = 3 // calls the node that is sent before it answers
	stormLookup   = 4 // answers with some node that was registered
)

// A storm has one server and a few clients that live as long as it lasts, and hundreds of
// processes that are killed at random moments, whatever they are doing.
type storm struct {
	t      *testing.T
	server *process

	// birth is held while a process is forked: there is one parent.
	birth sync.Mutex

	mu sync.Mutex
	// registered holds the handles whose nodes' deaths the server awaits, by the
	// request's cookie.
	registered map[uint64]uint32
	nextCookie uint64

	calls, victims, alive, peak atomic.Int64
}

// TestStorm: many processes open the device, map it, talk to a server and to each other,
// and are killed at random moments. Nobody else hangs or gets a wrong answer; the server
// is notified of each death that it requested; and in the end nothing is left.
func TestStorm(t *testing.T) {
	t.Logf("to repeat: -storm=%v -storm-processes=%d -storm-seed=%d", *stormDuration, *stormSize, *stormSeed)
	s := &storm{t: t, registered: map[uint64]uint32{}}
	s.server = newUnmappedProcess(t)
	s.server.mmap(4 << 20)
	s.server.becomeManager()
	var serverKilled, never atomic.Bool
	var serving []*worker
	for range 8 {
		th, w := s.server.newBareThread(), s.newWorker(&serverKilled)
		w.start(func() { s.serve(th.as(w)) })
		serving = append(serving, w)
	}
	var others []*worker
	var firstBorn []*victim
	for range *stormSize {
		firstBorn = append(firstBorn, s.bear())
	}
	end := time.Now().Add(*stormDuration)
	for i := range uint64(4) {
		p, w := newProcess(t), s.newWorker(&never)
		w.start(func() { s.client(p.as(w), s.rand(i), end) })
		others = append(others, w)
	}
	for i := range *stormSize {
		w := s.newWorker(&never)
		w.start(func() {
			rng := s.rand(uint64(1000 + i))
			s.lifeOf(firstBorn[i], rng, end)
			for {
				s.birth.Lock()
				if time.Now().After(end) {
					s.birth.Unlock()
					return
				}
				v := s.bear()
				s.birth.Unlock()
				s.lifeOf(v, rng, end)
			}
		})
		others = append(others, w)
	}
	for _, w := range others {
		<-w.done
	}

	eventually(t, "the server is told of all deaths", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.registered) == 0
	})
	serverKilled.Store(true)
	s.server.kill()
	for _, w := range serving {
		<-w.done
	}
	t.Logf("%d processes killed, at most %d alive at a time, %d calls answered",
		s.victims.Load(), s.peak.Load(), s.calls.Load())
	if s.calls.Load() == 0 || s.victims.Load() == 0 {
		t.Error("that was no storm")
	}
}

func (s *storm) rand(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(*stormSeed, stream)) }

// A worker is a goroutine that drives remote threads. It is the testing.TB for what it
// does: a failure ends it, and fails the test unless a process that it drives has been
// killed on purpose.
type worker struct {
	testing.TB
	// killed is set when the process is about to be killed.
	killed   *atomic.Bool
	cleanups []func()
	done     chan struct{}
}

func (s *storm) newWorker(killed *atomic.Bool) *worker {
	return &worker{TB: s.t, killed: killed, done: make(chan struct{})}
}

// start runs f in the worker.
func (w *worker) start(f func()) {
	go func() {
		defer close(w.done)
		f()
	}()
}

func (w *worker) Helper()          {}
func (w *worker) Cleanup(f func()) { w.cleanups = append(w.cleanups, f) }

func (w *worker) FailNow() {
	if !w.killed.Load() {
		w.TB.Fail()
	}
	runtime.Goexit()
}

func (w *worker) Errorf(format string, args ...any) {
	if !w.killed.Load() {
		w.TB.Errorf(format, args...)
	}
}

func (w *worker) Fatalf(format string, args ...any) {
	w.Errorf(format, args...)
	w.FailNow()
}

// reversed is the right answer to s.
func reversed(s []byte) text {
	s = slices.Clone(s)
	slices.Reverse(s)
	return text(s)
}

// serve is a thread of the server.
func (s *storm) serve(th *thread) {
	th.SetPatient(true)
	th.write(bcEnterLooper)
	for {
		for _, r := range th.read() {
			s.handle(th, r)
		}
	}
}

// handle handles what a thread of the server has read.
func (s *storm) handle(th *thread, r br) {
	switch r := r.(type) {
	case *message:
		if r.reply {
			th.t.Fatalf("a reply to nothing: %v", r)
		}
		answer := bcReply{payload: payload{reversed(r.data)}}
		switch r.code {
		case stormRegister:
			s.register(th, r.handle(0))
			answer.payload = nil
		case stormCallback:
			answer.payload = payload{text(th.callback(r.handle(0)))}
		case stormLookup:
			answer.payload = s.lookup(th)
		}
		th.write(r.free())
		if r.flags&oneWay == 0 {
			// The caller may be dead, which doesn't matter to the server; and the reply
			// may hold a handle that is gone.
			if got := th.writeRead(0, answer); got.err != nil {
				th.t.Fatalf("reply: %v", got.err)
			}
		}
	case cookieReturn:
		if r.cmd == binder.BR_DEAD_BINDER {
			s.mu.Lock()
			h, ok := s.registered[r.cookie]
			delete(s.registered, r.cookie)
			s.mu.Unlock()
			if !ok {
				th.t.Fatalf("told of a death twice, or unasked: %v", r)
			}
			th.write(bcDeadBinderDone(r.cookie), bcRelease(h))
		}
	case plainReturn:
		if r == brDeadReply || r == brFailedReply {
			th.t.Fatalf("the server made no call, but got %v", r)
		}
	}
}

func (s *storm) register(th *thread, h uint32) {
	s.mu.Lock()
	s.nextCookie++
	cookie := s.nextCookie
	s.registered[cookie] = h
	s.mu.Unlock()
	// The buffer still holds the handle.
	th.write(bcAcquire(h), bcRequestDeath(h, cookie))
}

// lookup returns a registered handle, or nothing. The thread gets a reference to it only
// if it still exists when it is sent.
func (s *storm) lookup(th *thread) payload {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.registered {
		return payload{handle(h)}
	}
	return nil
}

// callback calls h and returns the outcome.
func (th *thread) callback(h uint32) string {
	th.write(bcTransaction{handle: h, payload: payload{text("callback")}})
	for {
		for _, r := range th.read() {
			switch r := r.(type) {
			case *message:
				if !r.reply {
					th.t.Fatalf("a call instead of a reply: %v", r)
				}
				defer th.write(r.free())
				if string(r.data) != string(reversed([]byte("callback"))) {
					th.t.Fatalf("wrong answer to a callback: %v", r)
				}
				return "answered"
			case plainReturn:
				if r == brDeadReply || r == brFailedReply {
					return "dead"
				}
			}
		}
	}
}

// call makes a call and returns the reply, or nil if there is none. Like any thread that
// calls, it handles what comes meanwhile.
func (s *storm) call(th *thread, tr bcTransaction) *message {
	th.write(tr)
	for {
		for _, r := range th.read() {
			switch r := r.(type) {
			case *message:
				if r.reply {
					s.calls.Add(1)
					return r
				}
				th.answer(r)
			case plainReturn:
				if r == brDeadReply || r == brFailedReply {
					return nil
				}
			case nodeReturn:
				th.acknowledge(r)
			}
		}
	}
}

// answer answers a call like everybody in the storm.
func (th *thread) answer(m *message) {
	cmds := []command{m.free()}
	if m.flags&oneWay == 0 {
		cmds = []command{m.free(), bcReply{payload: payload{reversed(m.data)}}}
	}
	if r := th.writeRead(0, cmds...); r.err != nil {
		th.t.Fatalf("answer: %v", r.err)
	}
}

func (th *thread) acknowledge(r nodeReturn) {
	switch r.cmd {
	case binder.BR_INCREFS:
		th.write(bcIncrefsDone(r.ptr, r.cookie))
	case binder.BR_ACQUIRE:
		th.write(bcAcquireDone(r.ptr, r.cookie))
	}
}

// echo makes a call that must be answered correctly, if at all.
func (s *storm) echo(th *thread, h uint32, rng *rand.Rand) bool {
	data := fmt.Sprintf("%d %s", rng.Uint64(), space(rng.IntN(3000)))
	m := s.call(th, bcTransaction{handle: h, code: stormEcho, payload: payload{text(data)}})
	if m == nil {
		return false
	}
	if string(m.data) != string(reversed([]byte(data))) {
		th.t.Fatalf("wrong answer: asked %q, got %q", data, m.data)
	}
	th.write(m.free())
	return true
}

// client is a client that is not killed. All its calls are answered.
func (s *storm) client(p *process, rng *rand.Rand, end time.Time) {
	for time.Now().Before(end) {
		if !s.echo(p.thread, 0, rng) {
			p.t.Fatalf("a call to the server failed")
		}
	}
}

// A victim is a process that is killed.
type victim struct {
	*worker
	p *process
}

// bear starts a victim.
func (s *storm) bear() *victim {
	v := &victim{worker: s.newWorker(new(atomic.Bool))}
	v.p = newBareProcess(v.worker)
	s.peak.Store(max(s.peak.Load(), s.alive.Add(1)))
	return v
}

// lifeOf runs a victim from start to end.
func (s *storm) lifeOf(v *victim, rng *rand.Rand, end time.Time) {
	// Some are killed at once; some live until the end, so that there are many.
	lifetime := time.Duration(rng.IntN([]int{50, 1000, 20000}[rng.IntN(3)])) * time.Millisecond
	lifetime = min(lifetime, time.Until(end)+time.Duration(rng.IntN(100))*time.Millisecond)
	choices := rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64()))
	p, looper := v.p, s.newWorker(v.killed)
	close(looper.done)
	v.start(func() {
		p.connect(defaultDevice)
		if choices.IntN(2) == 0 {
			th := p.newBareThread()
			looper.done = make(chan struct{})
			looper.start(func() { th.as(looper).loop() })
		}
		s.live(p, choices)
	})
	time.Sleep(lifetime)
	v.killed.Store(true)
	p.kill()
	<-v.done
	<-looper.done
	for _, f := range slices.Backward(v.cleanups) {
		f()
	}
	s.victims.Add(1)
	s.alive.Add(-1)
}

// loop is a thread that answers calls.
func (th *thread) loop() {
	th.SetPatient(true)
	th.write(bcEnterLooper)
	for {
		for _, r := range th.read() {
			switch r := r.(type) {
			case *message:
				th.answer(r)
			case nodeReturn:
				th.acknowledge(r)
			}
		}
	}
}

// live does random things until the process is killed.
func (s *storm) live(p *process, rng *rand.Rand) {
	th := p.thread
	for ptr := uint64(0x1000); ; ptr += 8 {
		switch rng.IntN(9) {
		case 0, 1, 2:
			s.echo(th, 0, rng)
		case 3:
			if m := s.call(th, bcTransaction{code: stormRegister, payload: payload{node(ptr, 1)}}); m != nil {
				th.write(m.free())
			}
		case 4:
			m := s.call(th, bcTransaction{code: stormCallback, payload: payload{node(ptr, 1)}})
			if m != nil {
				if string(m.data) != "answered" {
					th.t.Fatalf("the callback to a living process: %q", m.data)
				}
				th.write(m.free())
			}
		case 5:
			// To another victim, which may die before it answers, or may have no thread
			// to spare until then.
			m := s.call(th, bcTransaction{code: stormLookup})
			if m != nil && len(m.offsets) == 1 {
				if o := m.object(0); o.Type == binder.BINDER_TYPE_HANDLE {
					th.SetPatient(true)
					s.echo(th, uint32(o.Binder), rng)
					th.SetPatient(false)
				}
			}
			if m != nil {
				th.write(m.free())
			}
		case 6:
			// One-way transactions with a node, whose answers nobody awaits.
			th.writeRead(0, bcTransaction{flags: oneWay, code: stormEcho, payload: payload{node(ptr, 2), space(rng.IntN(500))}})
			for _, r := range th.read() {
				if n, ok := r.(nodeReturn); ok {
					th.acknowledge(n)
				}
			}
		case 7:
			th.writeRead(0, bcIncrefs(0), bcAcquire(0), bcRequestDeath(0, 7), bcClearDeath(0, 7), bcRelease(0), bcDecrefs(0))
		case 8:
			th.poll(unix.POLLIN)
		}
	}
}
