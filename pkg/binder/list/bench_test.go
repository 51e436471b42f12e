// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

import (
	stdlist "container/list"
	"slices"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/ilist"
	"gvisor.dev/gvisor/pkg/sync"
	"gvisor.dev/gvisor/pkg/tcpip"
)

// benchSize is the number of values on the list that a benchmark pushes to.
const benchSize = 16

type benchID struct{}

// benchItem can be on a list of pointers, on one of interface values and on an
// ilist.
type benchItem struct {
	Count
	ptr   Links[*benchItem, benchID]
	iface Links[Counted, benchID]
	ilist.Entry
}

func (*benchItem) Destroy(context.Context) {}

func newPtrRef() Ref[*benchItem, benchID] {
	v := new(benchItem)
	u := NewUnique(v)
	_, r := Pair(&u, &v.ptr, v)
	return r
}

func newIfaceRef() Ref[Counted, benchID] {
	v := new(benchItem)
	u := NewUnique(v)
	_, r := Pair(&u, &v.iface, Counted(v))
	return r
}

// contender is a kind of list. Each function does n rounds of an operation.
//
// The kinds are List with pointers and with interface values, gVisor's two, which
// are ilist as instantiated for a pointer type (here that of package tcpip) and
// ilist itself, whose values are interfaces, and container/list.
type contender struct {
	name string

	// pushRemove pushes a value at the end and removes it.
	pushRemove func(n int)

	// pushPop pushes a value at the end and pops one from the start.
	pushPop func(n int)

	// locked is pushRemove with a mutex, taken for each.
	locked func(n int)
}

func contenders() []contender {
	return []contender{
		listContender("List/pointer", newPtrRef),
		listContender("List/interface", newIfaceRef),
		routeListContender(),
		ilistContender(),
		stdContender(),
	}
}

func listContender[T Counted](name string, newRef func() Ref[T, benchID]) contender {
	var q struct {
		mu sync.Mutex
		l  List[T, benchID]
	}
	for range benchSize {
		q.l.PushBack(newRef())
	}
	r := newRef()
	return contender{
		name: name,
		pushRemove: func(n int) {
			k := r.links
			for range n {
				q.l.PushBack(r)
				r, _ = q.l.Remove(k)
			}
		},
		pushPop: func(n int) {
			for range n {
				q.l.PushBack(r)
				r, _ = q.l.PopFront()
			}
		},
		locked: func(n int) {
			k := r.links
			for range n {
				q.mu.Lock()
				q.l.PushBack(r)
				q.mu.Unlock()
				q.mu.Lock()
				r, _ = q.l.Remove(k)
				q.mu.Unlock()
			}
		},
	}
}

func routeListContender() contender {
	var q struct {
		mu sync.Mutex
		l  tcpip.RouteList
	}
	for range benchSize {
		q.l.PushBack(new(tcpip.Route))
	}
	e := new(tcpip.Route)
	return contender{
		name: "ilist/pointer",
		pushRemove: func(n int) {
			for range n {
				q.l.PushBack(e)
				q.l.Remove(e)
			}
		},
		pushPop: func(n int) {
			for range n {
				q.l.PushBack(e)
				e = q.l.Front()
				q.l.Remove(e)
			}
		},
		locked: func(n int) {
			for range n {
				q.mu.Lock()
				q.l.PushBack(e)
				q.mu.Unlock()
				q.mu.Lock()
				q.l.Remove(e)
				q.mu.Unlock()
			}
		},
	}
}

func ilistContender() contender {
	var q struct {
		mu sync.Mutex
		l  ilist.List
	}
	for range benchSize {
		q.l.PushBack(new(benchItem))
	}
	e := ilist.Element(new(benchItem))
	return contender{
		name: "ilist/interface",
		pushRemove: func(n int) {
			for range n {
				q.l.PushBack(e)
				q.l.Remove(e)
			}
		},
		pushPop: func(n int) {
			for range n {
				q.l.PushBack(e)
				e = q.l.Front()
				q.l.Remove(e)
			}
		},
		locked: func(n int) {
			for range n {
				q.mu.Lock()
				q.l.PushBack(e)
				q.mu.Unlock()
				q.mu.Lock()
				q.l.Remove(e)
				q.mu.Unlock()
			}
		},
	}
}

func stdContender() contender {
	var q struct {
		mu sync.Mutex
		l  stdlist.List
	}
	for range benchSize {
		q.l.PushBack(new(benchItem))
	}
	v := new(benchItem)
	return contender{
		name: "container/list",
		pushRemove: func(n int) {
			for range n {
				q.l.Remove(q.l.PushBack(v))
			}
		},
		pushPop: func(n int) {
			for range n {
				q.l.PushBack(v)
				q.l.Remove(q.l.Front())
			}
		},
		locked: func(n int) {
			for range n {
				q.mu.Lock()
				e := q.l.PushBack(v)
				q.mu.Unlock()
				q.mu.Lock()
				q.l.Remove(e)
				q.mu.Unlock()
			}
		},
	}
}

func benchmark(b *testing.B, run func(c contender) func(n int)) {
	for _, c := range contenders() {
		b.Run("list="+c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.ResetTimer()
			run(c)(b.N)
		})
	}
}

func BenchmarkPushRemove(b *testing.B) {
	benchmark(b, func(c contender) func(int) { return c.pushRemove })
}

func BenchmarkPushPop(b *testing.B) {
	benchmark(b, func(c contender) func(int) { return c.pushPop })
}

func BenchmarkLockedPushRemove(b *testing.B) {
	benchmark(b, func(c contender) func(int) { return c.locked })
}

// BenchmarkRatio reports the cost of a push and a removal relative to gVisor's list
// of the same kind of value. The two take turns, so that other load on the machine
// hits both. It compares the time that nine of ten rounds exceed.
func BenchmarkRatio(b *testing.B) {
	const rounds, n = 101, 50_000
	cs := contenders()
	for _, kind := range []struct {
		name         string
		ours, theirs contender
	}{
		{"pointer", cs[0], cs[2]},
		{"interface", cs[1], cs[3]},
	} {
		for _, op := range []struct {
			name string
			run  func(c contender) func(int)
		}{
			{"PushRemove", func(c contender) func(int) { return c.pushRemove }},
			{"PushPop", func(c contender) func(int) { return c.pushPop }},
			{"LockedPushRemove", func(c contender) func(int) { return c.locked }},
		} {
			b.Run("op="+op.name+"/value="+kind.name, func(b *testing.B) {
				for b.Loop() {
					var ours, theirs []time.Duration
					for range rounds {
						start := time.Now()
						op.run(kind.ours)(n)
						middle := time.Now()
						op.run(kind.theirs)(n)
						ours = append(ours, middle.Sub(start))
						theirs = append(theirs, time.Since(middle))
					}
					slices.Sort(ours)
					slices.Sort(theirs)
					b.ReportMetric(float64(ours[rounds/10])/n, "ns/List-op")
					b.ReportMetric(float64(theirs[rounds/10])/n, "ns/ilist-op")
					b.ReportMetric(float64(ours[rounds/10])/float64(theirs[rounds/10]), "ratio")
					b.ReportMetric(0, "ns/op")
				}
			})
		}
	}
}

// BenchmarkReferences measures the other operations.
func BenchmarkReferences(b *testing.B) {
	ctx := context.Background()
	v := new(benchItem)
	u := NewUnique(v)
	a := u.Share()
	b.Run("op=CloneRelease", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c := a.Clone()
			c.Release(ctx)
		}
	})
	b.Run("op=ClaimRelease", func(b *testing.B) {
		strict = false
		defer func() { strict = true }()
		b.ReportAllocs()
		for b.Loop() {
			r, _ := v.iface.Claim(v)
			r.Release(ctx)
		}
	})
	b.Run("op=BuildQueueDestroy", func(b *testing.B) {
		strict = false
		defer func() { strict = true }()
		var l List[Counted, benchID]
		w := new(benchItem)
		b.ReportAllocs()
		for b.Loop() {
			u := NewUnique(w)
			a, r := Pair(&u, &w.iface, Counted(w))
			l.PushBack(r)
			r, _ = l.PopFront()
			r.Release(ctx)
			a.Release(ctx)
		}
	})
}

// BenchmarkWalk walks lists of a thousand values.
func BenchmarkWalk(b *testing.B) {
	const size = 1000
	var l List[Counted, benchID]
	var p tcpip.RouteList
	for range size {
		l.PushBack(newIfaceRef())
		p.PushBack(new(tcpip.Route))
	}
	sum := 0
	b.Run("by=All", func(b *testing.B) {
		for b.Loop() {
			for v := range l.All() {
				if v != nil {
					sum++
				}
			}
		}
	})
	b.Run("by=Cursor", func(b *testing.B) {
		for b.Loop() {
			for c := l.Front(); c.Ok(); c.Next() {
				if c.Value() != nil {
					sum++
				}
			}
		}
	})
	b.Run("by=ilist", func(b *testing.B) {
		for b.Loop() {
			for e := p.Front(); e != nil; e = e.Next() {
				if e != nil {
					sum++
				}
			}
		}
	})
}
