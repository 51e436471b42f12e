// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package play

import (
	"slices"

	"sentrybinder/pkg/abi/binder"
	"sentrybinder/test/differential/program"
)

// known is what a process knows about an open device from what it has written and read,
// and what a well-behaved application would act on.
type known struct {
	nonBlocking bool

	// handles are the handles that the process was sent.
	handles []uint32

	// messages are the transactions and replies that it has received, in order.
	messages []message

	// owed are the acknowledgements of references that it has yet to write, and
	// acknowledged those that it has written. deaths are the cookies of the death
	// notifications that it has yet to acknowledge.
	owed, acknowledged []program.Command
	deaths             []uint64

	// watched are its requests for death and freeze notifications.
	watched []program.Command

	// frozen are the cookies of the freeze notifications that it has yet to acknowledge.
	frozen []uint64

	// loopers are the owner's threads that have declared themselves loopers. A child that
	// has inherited the device may not: its commands fail.
	loopers [program.Threads]bool

	// unread are the threads that may have unread work which Linux's C driver drops, or
	// keeps forever, when they exit: node notifications or a transaction.
	unread [program.Threads]bool
}

// message is a transaction or a reply that was received.
type message struct {
	addr  uint64
	freed bool
}

// buffer returns the address of the buffer of message i, or an invalid one if there is no
// such message.
func (d *device) buffer(i int) uint64 {
	if d == nil || i < 0 || i >= len(d.messages) {
		return 0x10
	}
	return d.messages[i].addr
}

// unfreed returns the indices of the messages whose buffers were not freed.
func (k *known) unfreed() []int {
	var found []int
	for i, m := range k.messages {
		if !m.freed {
			found = append(found, i)
		}
	}
	return found
}

// learn adds a handle to those that are known.
func (d *device) learn(h uint32) {
	if !slices.Contains(d.handles, h) {
		d.handles = append(d.handles, h)
	}
}

// wrote records that th writes a command.
func (w *World) wrote(th *thread, dev *device, c *program.Command) {
	if dev == nil {
		return
	}
	w.sentDevice = w.sentDevice || th.proc.sendsDevice(c.Transaction)
	if th.index < len(dev.unread) && sendsNode(c.Transaction) {
		dev.unread[th.index] = true
	}
	switch c.Code {
	case binder.BC_ENTER_LOOPER, binder.BC_REGISTER_LOOPER:
		if dev.owner == th.proc && th.index < len(dev.loopers) {
			dev.loopers[th.index] = true
		}
	case binder.BC_TRANSACTION, binder.BC_TRANSACTION_SG:
		if c.Transaction == nil || c.Transaction.Flags&binder.TF_ONE_WAY == 0 {
			th.stack = append(th.stack, true)
		}
	case binder.BC_REPLY, binder.BC_REPLY_SG:
		th.incoming = max(0, th.incoming-1)
		th.pop(false)
	case binder.BC_FREE_BUFFER:
		if c.Delta == 0 && c.Message < len(dev.messages) {
			dev.messages[c.Message].freed = true
		}
	case binder.BC_INCREFS_DONE, binder.BC_ACQUIRE_DONE:
		if i := indexOfOwed(dev.owed, c); i >= 0 {
			dev.acknowledged = append(dev.acknowledged, dev.owed[i])
			dev.owed = slices.Delete(dev.owed, i, i+1)
		}
	case binder.BC_DEAD_BINDER_DONE:
		if i := slices.Index(dev.deaths, c.Cookie); i >= 0 {
			dev.deaths = slices.Delete(dev.deaths, i, i+1)
		}
	case binder.BC_FREEZE_NOTIFICATION_DONE:
		if i := slices.Index(dev.frozen, c.Cookie); i >= 0 {
			dev.frozen = slices.Delete(dev.frozen, i, i+1)
		}
	case binder.BC_REQUEST_DEATH_NOTIFICATION, binder.BC_REQUEST_FREEZE_NOTIFICATION:
		dev.watched = append(dev.watched, *c)
	}
}

// indexOfOwed returns the index of the acknowledgement c in owed, or -1.
func indexOfOwed(owed []program.Command, c *program.Command) int {
	return slices.IndexFunc(owed, func(o program.Command) bool {
		return o.Code == c.Code && o.Ptr == c.Ptr && o.Cookie == c.Cookie
	})
}

// waits returns whether the latest call that the thread takes part in is one that it
// made, and whose outcome it doesn't know.
func (th *thread) waits() bool { return len(th.stack) > 0 && th.stack[len(th.stack)-1] }

// pop records that the thread's latest call is over, if own says correctly whether it was
// one that the thread made.
func (th *thread) pop(own bool) {
	if n := len(th.stack); n > 0 && th.stack[n-1] == own {
		th.stack = th.stack[:n-1]
	}
}

// notified records a notification of a node, a death or a freeze.
func (d *device) notified(code uint32, ptr, cookie uint64) {
	switch code {
	case binder.BR_INCREFS:
		d.owed = append(d.owed, program.Command{Code: binder.BC_INCREFS_DONE, Ptr: ptr, Cookie: cookie})
	case binder.BR_ACQUIRE:
		d.owed = append(d.owed, program.Command{Code: binder.BC_ACQUIRE_DONE, Ptr: ptr, Cookie: cookie})
	case binder.BR_FROZEN_BINDER:
		d.frozen = append(d.frozen, ptr)
	case binder.BR_DEAD_BINDER:
		d.deaths = append(d.deaths, cookie)
	}
}

// sendsDevice returns whether t, which may be nil, may send a descriptor of one of p's
// devices.
func (p *process) sendsDevice(t *program.Transaction) bool {
	if t == nil {
		return false
	}
	for _, d := range p.devices {
		if d == nil {
			continue
		}
		for i := range t.Parts {
			o := &t.Parts[i]
			if o.Type == binder.BINDER_TYPE_FD && o.Binder == uint64(d.fd) || slices.Contains(o.Content, uint32(d.fd)) {
				return true
			}
		}
	}
	return false
}

// sendsNode returns whether t, which may be nil, sends a node.
func sendsNode(t *program.Transaction) bool {
	return t != nil && slices.ContainsFunc(t.Parts, func(o program.Part) bool {
		return o.Type == binder.BINDER_TYPE_BINDER || o.Type == binder.BINDER_TYPE_WEAK_BINDER
	})
}
