// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"math"
	"math/rand"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/pkg/sentry/devices/binder/memorytest"
)

// TestRegistry opens and closes devices at random: a View lists those in its two registries
// by age, and those of an opener.
func TestRegistry(t *testing.T) {
	d := NewDriver(faketime.NewManualClock(), nil, "a", "b")
	ts := d.containers("one", "two")
	shared := d.NewDomain("instance")
	contexts := func(tenant *Tenant) []*Context {
		return []*Context{tenant.contexts["a"], tenant.contexts["b"], shared.NewContext("c")}
	}
	var live []*Process
	random := rand.New(rand.NewSource(1))
	check := func(pid int32) {
		t.Helper()
		v := &View{domain: shared, tenant: ts[0]}
		var want, wantOf, got, gotOf []*Process
		for _, p := range slices.Backward(live) {
			if p.ctx.domain == shared || p.tenant == ts[0] {
				want = append(want, p)
				if p.id == pidOf(pid) {
					wantOf = append(wantOf, p)
				}
			}
		}
		for p := range v.processes() {
			got = append(got, p)
		}
		for p := range v.openedBy(pidOf(pid)) {
			gotOf = append(gotOf, p)
		}
		// require.Equal would compare what they point to.
		require.True(t, slices.Equal(want, got))
		require.True(t, slices.Equal(wantOf, gotOf))
	}
	for step := range 2000 {
		pid := random.Int31n(3)
		if random.Intn(500) < 500-len(live) {
			tenant := ts[random.Intn(2)]
			first := !slices.ContainsFunc(live, func(p *Process) bool { return p.tenant == tenant && p.id == pidOf(pid) })
			p := contexts(tenant)[random.Intn(3)].mustOpen(tenant, pid)
			require.Equal(t, first, p.first)
			live = append(live, p)
		} else {
			i := random.Intn(len(live))
			live[i].release(memorytest.Context())
			live = slices.Delete(live, i, i+1)
		}
		if step%50 == 0 {
			check(pid)
		}
	}
	for _, p := range live {
		p.release(memorytest.Context())
	}
	live = nil
	check(1)
	require.Zero(t, shared.procs.len()+ts[0].procs.len()+ts[1].procs.len())
}

// Devices may be closed and opened while they are listed.
func TestRegistryChanges(t *testing.T) {
	w := newWorld(t)
	for range 3 * batchSize {
		w.openAs(1, 0)
	}
	seen, last := 0, w.apps[len(w.apps)-1].ordinal
	for p := range w.view().openedBy(pidOf(1)) {
		seen++
		require.LessOrEqual(t, p.ordinal, last, "it was opened meanwhile")
		w.openAs(1, 0)
		if seen == 1 {
			for _, a := range slices.Clone(w.apps[:batchSize]) {
				a.close()
			}
		}
	}
	require.Equal(t, 2*batchSize, seen)
}

// Dead nodes are listed by the time of the death.
func TestDeadNodes(t *testing.T) {
	w := newWorld(t)
	d := &w.domain.dead
	var want []*Node
	for range 100 {
		n := &Node{}
		d.add(n)
		d.add(n)
		want = append(want, n)
	}
	for _, i := range []int{50, 0} {
		d.remove(want[i])
		d.remove(want[i])
		want = slices.Delete(want, i, i+1)
	}
	slices.Reverse(want)
	var got []*Node
	for nodes := d.older(math.MaxUint64); len(nodes) > 0; nodes = d.older(nodes[len(nodes)-1].ordinal) {
		require.LessOrEqual(t, len(nodes), batchSize)
		for _, n := range nodes {
			got = append(got, n.node)
		}
	}
	require.True(t, slices.Equal(want, got))
	for _, n := range want {
		d.remove(n)
	}
}

// Each process counts once, even if it closes while counts are summed.
//
// +checklocksignore
func TestCountsWhileClosing(t *testing.T) {
	w := newWorld(t)
	const apps = 3 * batchSize
	for range apps {
		w.newApp().write(cmd(binder.BC_ENTER_LOOPER))
	}
	c := &w.domain.closed
	enters := func(counts *commandCounts) uint64 {
		return counts.commands[binder.CommandNumber(binder.BC_ENTER_LOOPER)].Load()
	}
	// The summing is halfway.
	c.mu.Lock()
	c.inner.summing, c.inner.summed = true, w.apps[apps/2].ordinal
	for _, a := range w.apps[apps/2:] {
		c.inner.sum.add(&a.counts)
	}
	c.mu.Unlock()
	for _, i := range []int{apps - 1, apps / 2, apps/2 - 1, 0} {
		w.apps[i].close()
	}
	c.mu.Lock()
	sum := enters(&c.inner.sum)
	for _, a := range w.apps[:apps/2-2] {
		sum += enters(&a.counts)
	}
	c.inner.summing = false
	c.mu.Unlock()
	require.EqualValues(t, apps, sum)
	require.EqualValues(t, apps, enters(w.domain.counts()))
}

// BenchmarkRegistry opens and closes one of many devices of one process.
func BenchmarkRegistry(b *testing.B) {
	for name, n := range map[string]int{"1e3": 1e3, "1e6": 1e6} {
		b.Run(name, func(b *testing.B) {
			var r registry
			r.init()
			procs := make([]Process, n)
			for i := range procs {
				procs[i].ordinal = uint64(i)
				r.add(&procs[i])
			}
			b.ResetTimer()
			for i := range b.N {
				p := &procs[i*7919%n]
				r.remove(p)
				r.add(p)
			}
			require.Len(b, r.older(nil, math.MaxUint64), batchSize)
		})
	}
}
