// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package binder implements Android's Binder IPC driver: the devices that Linux
// calls /dev/binder, /dev/hwbinder and /dev/vndbinder, with the behaviour of the
// drivers of Linux 7.3.
//
// # How a call travels
//
//	client                         driver                           service
//	------                         ------                           -------
//	ioctl(BINDER_WRITE_READ)
//	  BC_TRANSACTION ────▶ Thread.write ▶ call                ioctl: Thread.read
//	                         │ target:  handle ▶ Ref ▶ Node         │
//	                         │ compose: memory of the client ──▶ buffer in the
//	                         │          (one copy)           mapping of the service
//	                         │          objects are translated      │
//	                         └ queue:   todo of a Thread ──wake──▶ deliver
//	  Thread.read waits                                         BR_TRANSACTION
//	                                                            ... works ...
//	  BR_REPLY   ◀── deliver ◀─wake── todo ◀── answer ◀─────── BC_REPLY
//
// # Files
//
// From the application down:
//
//	device, mapping, poll        what vfs and mm see of an open device
//	ioctl, task                  a request, and what the driver asks of its caller
//	write, read                  commands in, returns out
//	message, call, reply         a transaction is sent
//	compose, translate, files,   ... and its contents copied and translated
//	scatter_gather
//	buffer, cargo                what the buffer of a transaction holds, and its end
//	freeze, death,               the other requests
//	freeze_notification, node_info
//
//	context, process, thread     a device; an open of it; a thread that uses it
//	node, nodes, ref, refset,    an object; a process's handle for it
//	handles
//	transaction, stack,          a call or a reply; the calls that a thread is in;
//	completion                   what its sender gets to know
//	work, async, delivered       what a thread is to be told, and the lists of that
//
//	domain, tenant, view         a /dev or an instance of binderfs; a container; what
//	                             a caller can see of both
//	registry, flights, release   open devices; those in flight; their end
//	log, stats                   what binder_logs shows, piece by piece
//
// A Context belongs to a Domain: the /dev of a container, which is a Tenant, or an
// instance of binderfs. The mapping's buffers and their memory are package alloc's,
// which knows nothing of what they carry: see cargo. Objects describe themselves to
// the logs. Nothing below device.go needs a kernel.Task; see Task.
//
// # Ownership
//
// Whatever a thread has to be told is a work item: a transaction, a node whose
// references changed, a death, an error. Items of all kinds sit on the same todo
// lists, by links that they carry themselves (sentrybinder/pkg/binder/list), so
// that queueing takes no memory and can't fail. A list holds a reference to each
// item on it. The comments of the types name the other holders; statistics count
// an object until its last reference goes.
//
// A file that is sent belongs to its Transaction until a receiver has it. It may
// be a binder device itself, so that dropping it may end a Process: files are
// dropped without any lock held, and list.Counted.Destroy never drops any.
//
// Devices that only transactions lead to may be in flight in a circle. flights.go
// finds such circles and ends their processes.
//
// # Limits
//
// Whatever an application makes the driver keep is charged to the account of the
// container that makes it (package account), and credited when it goes: see
// prices.go. What cannot be charged is refused as without memory, and leaves
// nothing behind.
//
// However much an application owns, no lock is held for more than batchSize of its
// objects: walks of a process's nodes, references, threads and work resume where
// they were after the lock was free for others.
//
// # Locks
//
// There's no lock that all processes of a context take for each transaction. The
// order is:
//
//	Process.refsMu            the handles of a process, and its Refs' counts
//	  Process.mu              threads, todo lists, nodes and their counts,
//	                          transaction stacks
//	    Context.mu            who becomes context manager
//	    Transaction.mu        how a call is linked to its threads
//	    Process.pollers       (waiter.Queue, and what is notified by it; freezer.idle
//	                          is another)
//	    deadNodes.mu          nodes without an owner; a leaf
//	alloc's locks             the buffers of a process. None of the others is held when
//	                          its methods are called, nor the other way round
//	closedCounts.sumMu        who sums up what was written and read
//	  closedCounts.mu         the sum
//	    registry.mu           the processes of a domain or a tenant; a leaf
//	tenants.mu                changes of the list of containers; a leaf
//	flights.mu                the devices in transactions; a leaf
//	logSlot.mu                one of the last transactions; a leaf
//
// Nobody holds two locks of the same kind, whatever the processes: so Ref (in
// the table of one process, refsMu) may look after its Node (of another, mu),
// while the opposite happens in the other direction. While a node's owner dies
// it marks its nodes dead under mu and comes for the Refs afterwards, without
// it; a process that asks for a death notification looks for the mark after it
// has stored the request. One of them finds the other.
//
// TaskSet.mu, which is the kernel's, is taken to translate process IDs (see pidsIn)
// with none of these locks held.
//
// No lock is held while memory of an application is accessed, which may fault,
// nor while a file is dropped. The buffer that a sender fills is pinned instead:
// its memory outlives the process that it belongs to.
//
// # Waiting
//
// A thread that reads waits on Thread.wake, a channel that holds a token at most
// and no state: whoever waits looks at its lists before and after. A checkpoint
// interrupts the wait; the call ends with ERESTARTSYS and is made again after
// the restore, so that all state is in the structures, which are savable, and
// there's none in goroutines. One who waits for a process to be idle in order to
// freeze it gives up what it has done, and leaves how much of its time was left in
// its Thread, for the call that is made again.
package binder
