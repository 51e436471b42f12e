// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"cmp"
	"maps"
	"slices"

	"gvisor.dev/gvisor/pkg/sentry/kernel"
)

// An operator inspects the driver from outside the sandbox, in no container, and sees
// whole domains, whichever containers use them.

// Containers returns the IDs of the existing containers, oldest first.
func (d *Driver) Containers() []string {
	m := d.tenants.byID.Load()
	if m == nil {
		return nil
	}
	return slices.SortedFunc(maps.Keys(*m), func(a, b string) int { return cmp.Compare((*m)[a].ordinal, (*m)[b].ordinal) })
}

// Domains returns the domains of a container: its /dev, and then, oldest first, the
// instances of binderfs in which its processes have devices open. It returns false if
// there's no such container.
func (d *Driver) Domains(containerID string) ([]*Domain, bool) {
	t := d.tenants.get(containerID)
	if t == nil {
		return nil, false
	}
	domains := []*Domain{t.dev}
	seen := map[*Domain]struct{}{t.dev: {}}
	for p := range (&View{domain: t.dev, tenant: t}).processes() {
		dom := p.ctx.domain
		if _, ok := seen[dom]; !ok {
			seen[dom] = struct{}{}
			domains = append(domains, dom)
		}
	}
	slices.SortFunc(domains[1:], func(a, b *Domain) int { return cmp.Compare(a.ordinal, b.ordinal) })
	return domains, true
}

// Name returns d's name for operators: "/dev", or the instance of binderfs as in
// mountinfo.
func (d *Domain) Name() string { return d.name }

// OperatorView returns a View of all of d, with process IDs in PID namespace ns.
func (d *Domain) OperatorView(ns *kernel.PIDNamespace) *View {
	return &View{domain: d, pids: pidsIn{ns}}
}

// ProcessStats returns the statistics of v's newest process with a Seq less than before,
// or false if there's none. Commands and Returns are set only if commands is true.
func (v *View) ProcessStats(before uint64, commands bool) (ProcessStats, bool) {
	p := v.processBefore(before, Log{Kind: LogStats})
	if p == nil {
		return ProcessStats{}, false
	}
	s := p.processStats(v.pids)
	if commands {
		s.Commands, s.Returns = p.counts.byName()
	}
	return s, true
}

// Counts returns how many commands v's processes, including those that are gone, have
// written, and how many returns they have read, by name; and the objects of v's domains.
func (v *View) Counts() (commands, returns map[string]uint64, objects []ObjectCount) {
	commands, returns = v.counts().byName()
	return commands, returns, v.objectCounts()
}
