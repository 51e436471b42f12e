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
//	device, container, mapping,  what vfs and mm see of an open device
//	poll
//	ioctl, task, kernel_task     a request, and what the driver asks of its caller
//	write, read                  commands in, returns out
//	message, call, reply         a transaction is sent
//	compose, translate, object,  its contents are copied and translated
//	gather, scatter_gather
//	files, buffer, cargo         descriptors for its receiver; what its buffer holds, and
//	                             the end of that
//	failure, extended_error      why it was not sent
//	freeze, death,               the other requests
//	freeze_notification, node_info
//
//	context, manager             a device, and its context manager
//	process, freezer, thread     an open of it, and a thread that uses it
//	node, nodes, ref, refset,    an object, and a process's handle for it
//	handles
//	transaction, stack,          a call or a reply, the calls that a thread is in, and
//	completion, priority         what the sender gets to know
//	work, async, delivered       what a thread is to be told, and the lists of that
//
//	driver, domain, tenant, view the sandbox, a /dev or an instance of binderfs, a
//	                             container, and what a caller can see of them
//	registry, flights, release   open devices, those in flight, and their end
//	prices                       what is charged for each object
//	log, log_*, stats,           what binder_logs shows, piece by piece
//	transaction_log
//	metrics, traffic, inventory  what gVisor's metric server shows
//	trace                        what an operator traces: see package trace
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
// No lock is taken by every transaction of a context. The order is:
//
//	Process.refsMu            a process's handles, and its Refs: refInner
//	  Process.mu              threads, todo lists, nodes, the ends of transactions:
//	                          processInner, threadInner, nodeInner
//	    Context.mu            who may become context manager
//	    Transaction.mu        which threads a call is linked to: transactionInner
//	    deadNodes.mu          nodes without an owner; a leaf
//	    flights.mu            the devices in transactions; a leaf
//	    Process.pollers and Process.idle: those of the queue, and of what is notified,
//	                          such as epoll's EventPoll.readyMu
//	closedCounts.sumMu        one sum at a time
//	  closedCounts.mu         what closed processes have written and read
//	    registry.mu           the processes of a domain or a tenant; a leaf
//	tenants.mu                changes to the list of containers; a leaf
//	logSlot.mu                an entry of the transaction log; a leaf
//	alloc's locks             the buffers of a process; see package alloc
//
// Each lock is a class of its own for gVisor's lockdep, which proves the order in the
// race builds of the tests, and that no goroutine holds two locks of a class, whatever
// the processes. So a Ref (in the table of one process, refsMu) may look after its Node
// (of another, mu), while the opposite happens in the other direction. While a node's
// owner dies it marks its nodes dead under mu and comes for the Refs afterwards, without
// it; a process that asks for a death notification looks for the mark after it has
// stored the request. One of them finds the other.
//
// What a lock guards is one struct, mostly called inner. State that the lock of another
// object guards, as that of a Node, is to be had from lockedBy, for which checklocks
// wants the lock of the process that it is given; race builds check that it is the
// right process.
//
// The sentry's own locks are taken with none of these held: TaskSet.mu, to translate
// process IDs (see pidsIn); the locks of the MemoryFile (see package alloc) and those
// of the Timekeeper, to set timers; and alloc's. EventPoll.readyMu is the exception.
// Nothing of the driver is called with it held.
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
