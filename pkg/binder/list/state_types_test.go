// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package list

import (
	"context"

	sentry "gvisor.dev/gvisor/pkg/context"
)

type (
	savedTodo  struct{}
	savedNodes struct{}
)

// savedWork is the two kinds of values on the lists of work.
type savedWork interface {
	Counted
	title() string
}

// savedNode is on a list of its own kind and on one of mixed kinds, and has a
// list itself.
//
// +stateify savable
type savedNode struct {
	// nodes comes before todo in memory, and is found after it in some tests.
	nodes Links[*savedNode, savedNodes]
	Count
	name    string
	process *savedProcess
	todo    Links[savedWork, savedTodo]
	queue   List[savedWork, savedTodo]
	dead    int
}

func (n *savedNode) Destroy(sentry.Context) { n.dead++ }
func (n *savedNode) title() string          { return "node " + n.name }

// savedCall is another kind of work.
//
// +stateify savable
type savedCall struct {
	Count
	links Links[savedWork, savedTodo]
	name  string
	from  Arc[savedWork]
	to    Arc[*savedNode]
	dead  int
}

func (c *savedCall) Destroy(ctx sentry.Context) {
	c.from.Release(ctx)
	c.to.Release(ctx)
	c.dead++
}
func (c *savedCall) title() string { return "call " + c.name }

// savedProcess is the root of what is saved.
//
// +stateify savable
type savedProcess struct {
	first *savedNode
	todo  List[savedWork, savedTodo]
	done  List[savedWork, savedTodo]
	nodes List[*savedNode, savedNodes]
	idle  Ref[savedWork, savedTodo]
	arcs  []Arc[savedWork]
	byKey map[string]*savedNode

	// inside are pointers to some of the above, whose types must be registered.
	inside []any

	// titles is what was on todo when afterLoad ran.
	titles []string `state:"nosave"`
}

func (p *savedProcess) afterLoad(context.Context) {
	for w := range p.todo.All() {
		p.titles = append(p.titles, w.title())
	}
}

func init() {
	Register[savedWork, savedTodo]()
	Register[*savedNode, savedNodes]()
	RegisterArc[*savedNode]()
}
