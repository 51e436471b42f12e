// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"gvisor.dev/gvisor/pkg/context"
	"gvisor.dev/gvisor/pkg/sentry/kernel"
)

// View is what a caller can see of the driver: all of the domain that it acts through,
// all of its own container's /dev, and what its container's processes have open in other
// domains. It identifies processes by their IDs in the caller's PID namespace.
type View struct {
	domain *Domain

	// tenant is the caller's container. It is nil for the sentry itself.
	tenant *Tenant

	pids pidsIn
}

// View returns what ctx's task can see through d.
func (d *Domain) View(ctx context.Context) *View {
	v := &View{domain: d}
	if t := kernel.TaskFromContext(ctx); t != nil {
		v.tenant = d.driver.tenants.get(t.ContainerID())
		v.pids.ns = t.PIDNamespace()
	}
	return v
}

// domains returns the domains that v sees all of.
func (v *View) domains() []*Domain {
	if v.tenant == nil || v.tenant.dev == v.domain {
		return []*Domain{v.domain}
	}
	return []*Domain{v.domain, v.tenant.dev}
}

// processes returns the processes in v, newest first. Those that close their devices
// meanwhile are empty.
func (v *View) processes() iter.Seq[*Process] {
	return v.newestFirst(math.MaxUint64, (*registry).older)
}

// openedBy is processes for those that process id opened.
func (v *View) openedBy(id identity) iter.Seq[*Process] {
	return v.newestFirst(math.MaxUint64, func(r *registry, list []registryEntry, before uint64) []registryEntry {
		return r.olderOf(list, id, before)
	})
}

// newestFirst returns the processes in v's registries with an ordinal less than before,
// newest first. older lists a batch of a registry.
func (v *View) newestFirst(before uint64, older func(r *registry, list []registryEntry, before uint64) []registryEntry) iter.Seq[*Process] {
	return func(yield func(*Process) bool) {
		// A process is in its domain's registry and in its tenant's.
		var array [2 * batchSize]registryEntry
		walk := startWalk()
		for before := before; ; {
			batch := older(&v.domain.procs, array[:0], before)
			if v.tenant != nil {
				batch = older(&v.tenant.procs, batch, before)
				slices.SortFunc(batch, func(a, b registryEntry) int { return cmp.Compare(b.ordinal, a.ordinal) })
				batch = slices.CompactFunc(batch, func(a, b registryEntry) bool { return a.ordinal == b.ordinal })
			}
			if len(batch) == 0 {
				return
			}
			batch = batch[:min(len(batch), batchSize)]
			for _, e := range batch {
				if !yield(e.proc) {
					return
				}
			}
			before = batch[len(batch)-1].ordinal
			walk.yield()
		}
	}
}

// processBefore returns the newest process in log with an ordinal less than before, or
// nil.
func (v *View) processBefore(before uint64, log Log) *Process {
	older := (*registry).older
	if log.Kind == LogProcess {
		id := v.pids.identity(log.PID)
		older = func(r *registry, list []registryEntry, before uint64) []registryEntry {
			return r.olderOf(list, id, before)
		}
	}
	for p := range v.newestFirst(before, older) {
		return p
	}
	return nil
}

// counts returns the commands and returns of v's processes.
func (v *View) counts() *commandCounts {
	sum := &commandCounts{}
	domains := v.domains()
	for _, d := range domains {
		sum.add(d.counts())
	}
	if v.tenant != nil {
		for p := range (&View{domain: v.tenant.dev, tenant: v.tenant}).processes() {
			if !slices.Contains(domains, p.ctx.domain) {
				sum.add(&p.counts)
			}
		}
	}
	return sum
}

// objectCounts returns the number of objects of v's domains, by kind.
func (v *View) objectCounts() []ObjectCount {
	var sum []ObjectCount
	for _, d := range v.domains() {
		for i, c := range d.ObjectCounts() {
			if i == len(sum) {
				sum = append(sum, ObjectCount{Name: c.Name})
			}
			sum[i].Active += c.Active
			sum[i].Total += c.Total
		}
	}
	return sum
}

// LoggedProcess is a process that LogProcess shows.
type LoggedProcess struct {
	// PID is its ID in the reader's PID namespace.
	PID int32

	// Seq is greater than that of all older ones.
	Seq uint64
}

// listed returns p as a LoggedProcess, or false if it must not be listed: it isn't its
// opener's first, its device is in none of v's domains, or the reader has no ID for the
// opener.
func (v *View) listed(p *Process) (LoggedProcess, bool) {
	if !p.first || !slices.Contains(v.domains(), p.ctx.domain) {
		return LoggedProcess{}, false
	}
	l := LoggedProcess{v.pids.pid(p.id), p.ordinal}
	return l, l.PID != 0
}

// LoggedProcesses returns the processes that have opened a device and have a Seq less than
// before, newest first. One that has opened several counts for the first, and is no longer
// listed once that is closed.
func (v *View) LoggedProcesses(before uint64) iter.Seq[LoggedProcess] {
	return func(yield func(LoggedProcess) bool) {
		for p := range v.newestFirst(before, (*registry).older) {
			if l, ok := v.listed(p); ok && !yield(l) {
				return
			}
		}
	}
}

// LoggedProcess returns the one of LoggedProcesses with ID pid, or false.
func (v *View) LoggedProcess(pid int32) (LoggedProcess, bool) {
	for p := range v.openedBy(v.pids.identity(pid)) {
		if l, ok := v.listed(p); ok {
			return l, true
		}
	}
	return LoggedProcess{}, false
}
