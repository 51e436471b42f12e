// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"math"
	"time"

	"gvisor.dev/gvisor/pkg/gohacks"
	"gvisor.dev/gvisor/pkg/hostarch"
)

// inventory is what the driver holds at some time, for the metrics.
type inventory struct {
	// taken is when it was taken, in gohacks.Nanotime units.
	taken int64

	objects [numObjectKinds]uint64
	waiting uint64
	frozen  uint64
	buffers uint64

	// bytes is the used and the idle memory of mappings.
	bytes [2]uint64

	charged uint64
}

// inventoryAge is the maximum age of an inventory. Each metric asks for one; the metrics
// of a scrape share it.
const inventoryAge = 100 * time.Millisecond

// inventory returns an inventory of d that is at most inventoryAge old.
func (d *Driver) inventory() *inventory {
	if v := d.lastInventory.Load(); v != nil && gohacks.Nanotime()-v.taken < int64(inventoryAge) {
		return v
	}
	v := d.takeInventory()
	d.lastInventory.Store(v)
	return v
}

// takeInventory returns a new inventory. It visits each process separately, with nothing
// locked in between.
func (d *Driver) takeInventory() *inventory {
	v := &inventory{taken: gohacks.Nanotime()}
	// Domains without open devices have no objects.
	domains := make(map[*Domain]struct{})
	for _, t := range d.tenants.all() {
		v.charged += uint64(t.account.Used())
		walk := startWalk()
		var batch []registryEntry
		for before := uint64(math.MaxUint64); ; walk.yield() {
			batch = t.procs.older(batch[:0], before)
			if len(batch) == 0 {
				break
			}
			for _, e := range batch {
				before = e.ordinal
				domains[e.proc.ctx.domain] = struct{}{}
				v.addProcess(e.proc)
			}
		}
	}
	for dom := range domains {
		for k := range v.objects {
			v.objects[k] += dom.stats.active(objectKind(k))
		}
	}
	return v
}

func (v *inventory) addProcess(p *Process) {
	p.mu.Lock()
	v.waiting += uint64(p.inner.waiting.Len())
	v.frozen += uint64(bit(p.inner.freezer.frozen))
	p.mu.Unlock()
	space := p.alloc.Usage()
	v.buffers += uint64(space.Buffers)
	v.bytes[0] += uint64(space.Used) * hostarch.PageSize
	v.bytes[1] += uint64(space.Idle) * hostarch.PageSize
}
