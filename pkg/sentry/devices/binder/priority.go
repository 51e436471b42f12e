// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package binder

// A thread handles a call at the caller's nice value, or at the node's minimum priority if
// that is more urgent. It gets its own back when it replies, and its process's default when
// it looks for other work. The sentry has no scheduler: this changes only what applications
// see.

// setNice sets task's nice value, as far as task may.
func setNice(task Task, nice int) {
	if task.Niceness() != nice {
		task.SetNiceness(nice)
	}
}

// inherit makes task, which is about to read the call t, as urgent as t demands. A one-way
// call, which has no waiting caller, makes it at least as urgent as the node.
func (t *Transaction) inherit(task Task) {
	least := int(t.targetNode().minPriority)
	t.savedNice = task.Niceness()
	switch {
	case t.oneWay():
		if t.savedNice > least {
			setNice(task, least)
		}
	case t.nice < least:
		setNice(task, t.nice)
	default:
		setNice(task, least)
	}
}

// maxNice is the least urgent nice value.
const maxNice = 19

// permittedNice returns the nice value that a task with RLIMIT_NICE limit gets when nice is
// set, or false if it keeps its own. As on Linux, the limit applies whether nice is more or
// less urgent than the task's own value.
func permittedNice(nice int, limit uint64, privileged bool) (int, bool) {
	// The limit is the number of values that the task may use.
	if needed := maxNice + 1 - nice; privileged || uint64(needed) <= limit {
		return nice, true
	}
	return maxNice + 1 - int(limit), limit != 0
}
