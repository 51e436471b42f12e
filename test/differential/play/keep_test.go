// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package play

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/unix"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/differential/actor"
	"sentrybinder/test/differential/program"
)

// A child that has inherited a device does not become a looper for its parent, and its
// epoll instance is level-triggered.
func TestKeepRustChild(t *testing.T) {
	options := Options{LikeRust: true}
	w := &World{options: options}
	for _, i := range []int{0, program.Processes} {
		w.procs[i] = newProcess(i, &actor.Process{Threads: []*actor.Thread{{}}})
	}
	parent, child := w.procs[0], w.procs[program.Processes]
	dev := &device{owner: parent}
	parent.devices[0] = dev
	child.devices = parent.devices
	g := NewGenerator(1, options)
	kept := func(p *process, op program.Op) []program.Step {
		return g.keepRust(w, program.Step{Op: op, P: p.index, Arg: unix.EPOLLET, ReadSize: 256})
	}

	enter := &program.Command{Code: binder.BC_ENTER_LOOPER}
	assert.Len(t, kept(child, program.WriteRead), 1)
	w.wrote(child.threads[0], dev, enter)
	assert.Len(t, kept(parent, program.WriteRead), 2, "the parent's thread is a looper before it reads")
	w.wrote(parent.threads[0], dev, enter)
	assert.Len(t, kept(parent, program.WriteRead), 1)

	assert.Equal(t, uint64(unix.EPOLLET), kept(parent, program.Epoll)[0].Arg)
	assert.Zero(t, kept(child, program.Epoll)[0].Arg)
}

// A process does not become the manager if it has another device of that context, mapped
// or not.
func TestKeepRustManager(t *testing.T) {
	w := &World{options: Options{LikeRust: true}}
	p := newProcess(0, &actor.Process{Threads: []*actor.Thread{{}}})
	w.procs[0] = p
	p.devices[0] = &device{owner: p}
	g := NewGenerator(1, w.options)
	manage := program.Step{Op: program.Ioctl, Arg: binder.BINDER_SET_CONTEXT_MGR}
	kept := func() uint64 { return g.keepRust(w, manage)[0].Arg }

	assert.Equal(t, manage.Arg, kept())
	p.devices[1] = &device{owner: p, name: 1}
	assert.Equal(t, manage.Arg, kept(), "another context's")
	p.devices[1].name = 0
	assert.Equal(t, uint64(binder.BINDER_VERSION), kept())
}
