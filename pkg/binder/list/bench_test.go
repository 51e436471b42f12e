// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

import (
	stdlist "container/list"
	"testing"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/ilist"
	"gvisor.dev/gvisor/pkg/sync"
	"gvisor.dev/gvisor/pkg/tcpip"
)

// benchSize is the number of values that are on the list, apart from the one
// that a benchmark pushes and removes.
const benchSize = 16

type benchID struct{}

type benchValue struct {
	Count
	ilist.Entry
	self  Links[*benchValue, benchID]
	iface Links[Counted, benchID]
}

func (*benchValue) Destroy(context.Context) {}

// benchRef returns a claimed list reference and the links that it is for.
func benchRef() (Ref[*benchValue, benchID], *Links[*benchValue, benchID]) {
	v := new(benchValue)
	u := NewUnique(v)
	_, r := Pair(&u, &v.self, v)
	return r, &v.self
}

func benchIfaceRef() (Ref[Counted, benchID], *Links[Counted, benchID]) {
	v := new(benchValue)
	u := NewUnique(v)
	_, r := Pair(&u, &v.iface, Counted(v))
	return r, &v.iface
}

// BenchmarkPushRemove pushes a value at the end of a list and removes it.
func BenchmarkPushRemove(b *testing.B) {
	b.Run("list=List/value=pointer", func(b *testing.B) {
		var l List[*benchValue, benchID]
		for range benchSize {
			r, _ := benchRef()
			l.PushBack(r)
		}
		r, k := benchRef()
		b.ReportAllocs()
		for b.Loop() {
			l.PushBack(r)
			r, _ = l.Remove(k)
		}
	})
	b.Run("list=List/value=interface", func(b *testing.B) {
		var l List[Counted, benchID]
		for range benchSize {
			r, _ := benchIfaceRef()
			l.PushBack(r)
		}
		r, k := benchIfaceRef()
		b.ReportAllocs()
		for b.Loop() {
			l.PushBack(r)
			r, _ = l.Remove(k)
		}
	})
	b.Run("list=ilist/value=pointer", func(b *testing.B) {
		var l tcpip.RouteList
		for range benchSize {
			l.PushBack(new(tcpip.Route))
		}
		e := new(tcpip.Route)
		b.ReportAllocs()
		for b.Loop() {
			l.PushBack(e)
			l.Remove(e)
		}
	})
	b.Run("list=ilist/value=interface", func(b *testing.B) {
		var l ilist.List
		for range benchSize {
			l.PushBack(new(benchValue))
		}
		e := new(benchValue)
		b.ReportAllocs()
		for b.Loop() {
			l.PushBack(e)
			l.Remove(e)
		}
	})
	b.Run("list=container/list", func(b *testing.B) {
		var l stdlist.List
		for range benchSize {
			l.PushBack(new(benchValue))
		}
		v := new(benchValue)
		b.ReportAllocs()
		for b.Loop() {
			l.Remove(l.PushBack(v))
		}
	})
}

var _ sync.Mutex
