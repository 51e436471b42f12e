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
//	message, call, reply         sending a transaction
//	compose, translate, object,  copying and translating its contents
//	gather, scatter_gather
//	files, buffer, cargo         descriptors for its receiver; what its buffer holds and
//	                             how that is released
//	failure, refusal,            why it was not sent, or a command was refused
//	extended_error
//	complaint, report            who else is told: kernel log, listeners
//	freeze, death,               the other requests
//	freeze_notification, node_info
//
//	context, manager             a device, and its context manager
//	process, freezer, thread     an open of it, and a thread that uses it
//	node, nodes, ref, refset,    an object, and a process's handle for it
//	handles
//	transaction, stack,          a call or a reply, the calls that a thread is in, and
//	completion, priority         what the sender is told
//	work, async, delivered,      what threads are to be told, and the lists of it
//	process_todo
//
//	driver, domain, tenant, view the sandbox, a /dev or an instance of binderfs, a
//	                             container, and what a caller can see of them
//	pid, inspect                 process IDs in PID namespaces; what an operator sees
//	registry, flights, release   open devices, those in flight, and how processes and
//	                             threads are released
//	prices                       what each object is charged
//	log, log_*, stats, hasher,   the contents of binder_logs, and of the operator's log
//	transaction_log, failed
//	metrics, traffic, inventory  what gVisor's metric server exports
//	trace                        events for the operator: see package trace
//	batch, scheduler,            walks that yield, sleeping, the driver's own mistakes,
//	warnings, save_restore       checkpoints
//
// A Context belongs to a Domain: the /dev of a container, which is a Tenant, or an
// instance of binderfs. Package alloc manages the mapping's buffers and their memory,
// and knows nothing of what they carry: see cargo. Objects describe themselves to
// the logs. No request below device.go needs a kernel.Task; see Task.
//
// # Ownership
//
// Whatever a thread has to be told is a work item: a transaction, a node whose
// references changed, a death, an error. Items of all kinds sit on the same todo
// lists, by links that they carry themselves (sentrybinder/pkg/binder/list), so
// queueing can't fail, and allocates nothing but a node's item. A list holds a
// reference to each item on it. The comments of the types name the other holders;
// statistics count an object until its last reference is dropped.
//
// A file that is sent belongs to its Transaction until the receiver gets it. It may
// itself be a binder device, and dropping it may then release a Process: files are
// dropped without any lock held, and list.Counted.Destroy never drops any.
//
// Devices reachable only through transactions may be in flight in a cycle. flights.go
// finds such cycles and releases their processes.
//
// # Limits
//
// Whatever an application makes the driver keep is charged to the account of its
// container (package account), and credited when it goes: see prices.go. What cannot
// be charged is refused with ENOMEM or its BR_ counterpart, and leaves nothing behind.
//
// However much an application owns, no lock is held for more than batchSize of its
// objects: walks of a process's nodes, references, threads and work release the lock
// between batches and resume where they stopped.
//
// # Locks
//
// No lock is taken by every transaction of a context. The order is:
//
//	Process.refsMu            a process's handles, and its Refs: refInner
//	  Process.mu              threads, todo lists, nodes, which transactions are
//	                          outstanding: processInner, threadInner, nodeInner
//	    Context.mu            which process may become context manager
//	    Transaction.mu        which threads a call is linked to: transactionInner
//	    deadNodes.mu          nodes without an owner; a leaf
//	    flights.mu            the devices in transactions; a leaf
//	    Process.pollers and Process.idle: the queues' own, and those of what they
//	                          notify, such as epoll's EventPoll.readyMu
//	closedCounts.sumMu        one sum at a time
//	  closedCounts.mu         what closed processes have written and read
//	    registry.mu           the processes of a domain or a tenant; a leaf
//	tenants.mu                changes to the list of containers; a leaf
//	reportListeners.mu        changes to a container's listeners; a leaf
//	logSlot.mu and failureSlot.mu: an entry of a log; leaves
//	alloc's locks             the buffers of a process; see package alloc
//
// Each lock is a class of its own for gVisor's lockdep, which proves the order in the
// race builds of the tests, and that no goroutine holds two locks of a class, whatever
// the processes. So a Ref (in the table of one process, under refsMu) may update its
// Node (of another, under mu) while the same happens in the other direction. A dying
// owner marks its nodes dead under mu, then visits their Refs without it; a process that
// requests a death notification stores the request, then looks for the mark. One of
// them finds the other.
//
// What a lock guards is one struct, mostly called inner. State that the lock of another
// object guards, such as a Node's, is reached through lockedBy: checklocks demands the
// lock of the process passed to it, and race builds check that it is the right process.
//
// The sentry's own locks are taken with none of these held: TaskSet.mu, to translate
// process IDs (see pidsIn); the locks of the MemoryFile (see package alloc); those of
// the Timekeeper, to set timers; and alloc's. EventPoll.readyMu is the exception:
// nothing calls the driver with it held.
//
// No lock is held while memory of an application is accessed, which may fault,
// nor while a file is dropped. The buffer that a sender fills is pinned instead:
// its memory outlives the process that it belongs to.
//
// # Waiting
//
// A thread that reads waits on Thread.wake, a channel that holds at most one token
// and carries no state: a waiter looks at its lists before and after. A checkpoint
// interrupts the wait; the call ends with ERESTARTSYS and is made again after
// the restore, so that all state is in the structures, which are savable, and
// none in goroutines. A BINDER_FREEZE that waits for a process to become idle undoes
// what it has done, and leaves the remaining time in its Thread for the repeated call.
package binder
