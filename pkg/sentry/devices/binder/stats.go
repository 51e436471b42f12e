// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

import (
	"bytes"
	"fmt"

	"gvisor.dev/gvisor/pkg/atomicbitops"

	"sentrybinder/pkg/abi/binder"
)

// objectKind is a kind of object that is counted. Order and names are those of the lines
// in Linux's binder_logs/stats.
type objectKind int

const (
	objectProcess objectKind = iota
	objectThread
	objectNode
	objectRef
	objectDeath
	objectTransaction
	objectTransactionComplete
	objectFreeze
	numObjectKinds
)

var objectNames = [numObjectKinds]string{"proc", "thread", "node", "ref", "death", "transaction", "transaction_complete", "freeze"}

// objectCounter counts objects of one kind.
//
// +stateify savable
type objectCounter struct {
	created atomicbitops.Uint64
	deleted atomicbitops.Uint64
}

// stats counts the objects of all contexts of a Domain. It takes no lock.
//
// +stateify savable
type stats struct {
	objects [numObjectKinds]objectCounter
}

func (s *stats) created(k objectKind) { s.objects[k].created.Add(1) }

func (s *stats) deleted(k objectKind) { s.objects[k].deleted.Add(1) }

// active returns the number of live objects. An object that comes and goes meanwhile may be
// counted, but the number is never negative: deleted is read first.
func (s *stats) active(k objectKind) uint64 {
	deleted := s.objects[k].deleted.Load()
	return s.objects[k].created.Load() - deleted
}

// ObjectCount is the number of objects of one kind that a Domain holds.
type ObjectCount struct {
	// Name is the kind, as in Linux's binder_logs/stats.
	Name string
	// Active is the number of live objects, Total the number ever created.
	Active, Total uint64
}

// commandCounts counts the commands that a process wrote and the returns that it read. A
// domain's counts are summed over its processes, so that these don't contend for the
// counters.
//
// +stateify savable
type commandCounts struct {
	commands [binder.NumCommands]atomicbitops.Uint64
	returns  [binder.NumReturns]atomicbitops.Uint64
}

// command counts cmd, which may be any number. An unknown command counts as the one of the
// same ordinal, as on Linux.
func (c *commandCounts) command(cmd uint32) {
	if i := binder.CommandNumber(cmd); i < len(c.commands) {
		c.commands[i].Add(1)
	}
}

// put counts br.
func (c *commandCounts) put(br uint32) {
	// BR_NOOP is filler, which Linux doesn't count.
	if br != binder.BR_NOOP {
		c.returns[binder.CommandNumber(br)].Add(1)
	}
}

// add adds the counts of other.
func (c *commandCounts) add(other *commandCounts) {
	for i := range other.commands {
		c.commands[i].Add(other.commands[i].Load())
	}
	for i := range other.returns {
		c.returns[i].Add(other.returns[i].Load())
	}
}

// print writes a line for each count that isn't zero.
func (c *commandCounts) print(buf *bytes.Buffer, prefix string) {
	for i := range c.commands {
		if n := c.commands[i].Load(); n != 0 {
			fmt.Fprintf(buf, "%s%s: %d\n", prefix, binder.NumberedCommand(i), n)
		}
	}
	for i := range c.returns {
		if n := c.returns[i].Load(); n != 0 {
			fmt.Fprintf(buf, "%s%s: %d\n", prefix, binder.NumberedReturn(i), n)
		}
	}
}

// byName returns the non-zero counts by name.
func (c *commandCounts) byName() (commands, returns map[string]uint64) {
	commands, returns = make(map[string]uint64), make(map[string]uint64)
	for i := range c.commands {
		if n := c.commands[i].Load(); n != 0 {
			commands[binder.NumberedCommand(i)] = n
		}
	}
	for i := range c.returns {
		if n := c.returns[i].Load(); n != 0 {
			returns[binder.NumberedReturn(i)] = n
		}
	}
	return commands, returns
}
