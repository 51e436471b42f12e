// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sentrybinder/pkg/abi/binder"
	pkgprogram "sentrybinder/test/differential/program"
)

// rustRules are the rules for what Linux's Rust driver does differently. See package play
// for the differences that programs leave out.
var rustRules = []rule{
	{
		name: "where a buffer is",
		peer: "rust",
		why: "The C driver takes the smallest hole that a buffer fits into, and of several with that size the topmost in " +
			"its tree of holes. The Rust driver prefers the end of the space in use, and then the lowest hole. So a large " +
			"buffer may fit on one driver and not on the other, and different pages are in use.",
		applies: func(d *divergence) bool {
			more, less := d.returns()
			return d.writes(func(c *pkgprogram.Command) bool {
				return c.Transaction != nil && slices.ContainsFunc(c.Transaction.Parts, func(p pkgprogram.Part) bool { return p.Bytes > 4096 })
			}) && (allNamed(more, "FAILED_REPLY") || allNamed(less, "FAILED_REPLY"))
		},
		hide: func(s *pkgprogram.Step, linux, here string) (string, string) {
			if s.Op == pkgprogram.Peek && peeked.MatchString(linux) && peeked.MatchString(here) {
				return here, here
			}
			return withoutPlace(s, linux, here)
		},
	},
	{
		name: "the sender of a call, if it is gone",
		peer: "rust",
		why: "The Rust driver records the process that a call came from, " +
			"the C driver looks it up through the thread that waits for the reply, if that still exists.",
		hide: func(_ *pkgprogram.Step, linux, here string) (string, string) {
			if strings.Contains(here, " pid=0 ") {
				linux = senderPID.ReplaceAllString(linux, " pid=0 ")
			}
			return linux, here
		},
	},
	{
		name: "how a failure is reported",
		peer: "rust",
		why: "The drivers have different errnos for malformed requests and transactions. In Rust, freezing a process " +
			"without a device is no error, and BINDER_GET_EXTENDED_ERROR does not report that a target is dead or frozen. " +
			"That a thread already waits for a reply is checked last, after everything else that may be wrong with a call. " +
			"A malformed transaction to a dead node is BR_FAILED_REPLY in Rust, and BR_DEAD_REPLY in C. Reports of calls " +
			"that were not queued don't name the receiving thread, those of replies don't name the receiver, and replies " +
			"to a caller that has exited are not reported.",
		hide: func(s *pkgprogram.Step, linux, here string) (string, string) {
			for _, e := range errnos {
				if rest, ok := strings.CutPrefix(linux, e.linux); ok && e.op == s.Op && here == e.here+rest {
					return here, here
				}
			}
			if linux == "    FAILED_REPLY " && here == "    DEAD_REPLY " {
				linux = here
			}
			if strings.HasPrefix(linux, "  report ") && strings.HasPrefix(here, "  report ") {
				if strings.Contains(here, reportOfDead) {
					linux = strings.Replace(linux, reportOfFailed, reportOfDead, 1)
				}
				return withoutReceiver(s, linux, here)
			}
			return linux, here
		},
	},
	{
		name: "void work",
		peer: "rust",
		why: "The drivers differ in when they withdraw work that is void, and in whether a thread is woken for it. A woken " +
			"thread finds nothing and waits again, now as the latest. In between, it does not count as waiting when the " +
			"driver decides about BR_SPAWN_LOOPER. So, in Rust, there may be something to poll for, with which deferred " +
			"BR_TRANSACTION_COMPLETEs are read, or nothing. Besides, a request to become context manager creates a node and " +
			"work for it even if it is refused: a thread that takes this work waits only for its own work in that read.",
		applies: func(d *divergence) bool {
			more, less := d.returns()
			if allNamed(slices.Concat(more, less), "SPAWN_LOOPER") {
				return true
			}
			if first(d.here) == "  sleeps" && len(less) == 0 &&
				(len(more) == 1 && allNamed(more, "TRANSACTION_COMPLETE") || len(more) == 0 && strings.HasSuffix(first(d.linux), " r=4 NOOP") || d.countsUnwritable()) {
				return true
			}
			if len(more) == 0 && len(less) == 1 && d.wouldManage(less[0]) &&
				(first(d.linux) == "  sleeps" || !strings.HasPrefix(less[0], "- ")) {
				return true
			}
			if len(more) != 1 || len(less) != 1 {
				return false
			}
			l, returned, _ := strings.Cut(more[0], " ")
			h, other, _ := strings.Cut(less[0], " ")
			lProcess, _, lOK := strings.Cut(l, ".")
			hProcess, _, hOK := strings.Cut(h, ".")
			return returned == other && lProcess == hProcess && lOK && hOK
		},
		hide: func(s *pkgprogram.Step, linux, here string) (string, string) {
			ready := map[string]bool{"  0 0000": true, "  1 0100": true, "  ok 0 00000000": true, "  ok 1 01000000": true}
			if (s.Op == pkgprogram.Poll || s.Op == pkgprogram.Epoll) && ready[linux] && ready[here] {
				linux = here
			}
			return linux, here
		},
	},
	{
		name: "references that were not acknowledged",
		peer: "rust",
		why: "When the references to a node are gone, the C driver returns BR_RELEASE once the BR_ACQUIRE has been " +
			"acknowledged, and BR_DECREFS once the BR_INCREFS has been. The Rust driver returns each once as many " +
			"acknowledgements of either kind have arrived as are due.",
		applies: func(d *divergence) bool {
			more, less := d.returns()
			acknowledges := d.writes(func(c *pkgprogram.Command) bool {
				return c.Code == binder.BC_INCREFS_DONE || c.Code == binder.BC_ACQUIRE_DONE
			})
			return allNamed(slices.Concat(more, less), "RELEASE", "DECREFS") ||
				// The thread that is notified has a bad read buffer.
				unwritten.MatchString(first(d.here)) && (acknowledges || d.halfAcknowledged())
		},
	},
	{
		name: "node notifications",
		peer: "rust",
		why: "Until the C driver has delivered the notification of a reference, it may withdraw it, because the reference " +
			"is gone, move it to another thread, which has sent the node as well, or move it back, because the same thread " +
			"has sent the node again. The Rust driver delivers each notification as first decided, and counts such " +
			"references. A thread that was woken for a notification that was then withdrawn reads other work. A process " +
			"that ends releases its handles in ascending order in C, and in an order that depends on the shape of a tree " +
			"in Rust.",
		applies: func(d *divergence) bool {
			more, less := d.returns()
			notifications := []string{"INCREFS", "ACQUIRE", "RELEASE", "DECREFS", "SPAWN_LOOPER"}
			if allNamed(more, notifications...) && allNamed(less, "TRANSACTION_COMPLETE") {
				return true
			}
			if len(more) == 0 && len(less) == 0 {
				return d.reordered(notifications)
			}
			return allNamed(slices.Concat(more, less), notifications...)
		},
		hide: func(s *pkgprogram.Step, linux, here string) (string, string) {
			if s.Op == pkgprogram.NodeInfo || s.Op == pkgprogram.NodeDebug {
				return nodeCounts.ReplaceAllString(linux, ""), nodeCounts.ReplaceAllString(here, "")
			}
			return linux, here
		},
	},
	{
		name: "which thread gets a requested notification",
		peer: "rust",
		why: "If a death notification is requested of the dead, the C driver notifies the requesting thread, and it gives " +
			"the initial freeze state to any thread that reads. The Rust driver gives both to a waiting thread, if there " +
			"is one. It also notifies that a dead process is not frozen, which the C driver does not.",
		applies: func(d *divergence) bool {
			more, less := d.returns()
			return slices.ContainsFunc([][]string{more, less}, func(returns []string) bool {
				returns = slices.DeleteFunc(returns, func(r string) bool { return kindOf(r) == "SPAWN_LOOPER" })
				return len(returns) > 0 && d.asked(returns[:1]) && allNamed(returns[:1], "DEAD_BINDER", "FROZEN_BINDER")
			})
		},
	},
	{
		name: "a reply, and the end of an earlier call",
		peer: "rust",
		why: "If a thread replies to a call after a call that it made earlier has ended, the Rust driver returns the " +
			"end of its own call first, and the C driver the BR_TRANSACTION_COMPLETE of the reply.",
		applies: func(d *divergence) bool {
			more, less := d.returns()
			// The buffer may have room for only one of them.
			one := len(more) == 1 && len(less) == 1 && allNamed(more, "DEAD_REPLY") && allNamed(less, "TRANSACTION_COMPLETE")
			return (one || len(more) == 0 && len(less) == 0) &&
				strings.HasSuffix(first(d.linux), "DEAD_REPLY ") && strings.HasSuffix(first(d.here), "TRANSACTION_COMPLETE ")
		},
	},
}

// The error in the report of a failed transaction.
var (
	reportOfFailed = fmt.Sprintf(" %d=%#x ", binder.BINDER_A_REPORT_ERROR, uint32(binder.BR_FAILED_REPLY))
	reportOfDead   = fmt.Sprintf(" %d=%#x ", binder.BINDER_A_REPORT_ERROR, uint32(binder.BR_DEAD_REPLY))
)

// has returns whether the program has a step with operation op.
func (d *divergence) has(op pkgprogram.Op) bool {
	return slices.ContainsFunc(d.steps, func(s pkgprogram.Step) bool { return s.Op == op })
}

// ended returns whether any process has ended or closed a device.
func (d *divergence) ended() bool {
	return d.has(pkgprogram.Kill) || d.has(pkgprogram.Exit) || d.has(pkgprogram.Close) ||
		slices.ContainsFunc(d.before, func(line string) bool { return strings.HasPrefix(line, "end P") })
}

// writes returns whether the divergent step writes a command for which is returns true.
func (d *divergence) writes(is func(c *pkgprogram.Command) bool) bool {
	return slices.ContainsFunc(d.last().Write, func(c pkgprogram.Command) bool { return is(&c) })
}

// countsUnwritable returns whether, on Linux, the divergent step fails since the driver
// can't write to the ioctl's argument how much it has read.
func (d *divergence) countsUnwritable() bool {
	return d.last().Fault == pkgprogram.ArgReadOnly && strings.HasPrefix(first(d.linux), "  EFAULT ")
}

// wouldManage returns whether the thread that gets return r has ever asked to become
// context manager.
func (d *divergence) wouldManage(r string) bool {
	p, t := d.threadOf(r)
	return slices.ContainsFunc(d.steps, func(s pkgprogram.Step) bool { return s.P == p && s.T == t && s.WouldManage() })
}

// sinceLastRead returns what the thread of the divergent step has written since its last
// read, before that step.
func (d *divergence) sinceLastRead() []pkgprogram.Command {
	last := d.last()
	var written []pkgprogram.Command
	for _, s := range slices.Backward(d.steps[:len(d.steps)-1]) {
		if s.P != last.P || s.T != last.T || s.Device != last.Device {
			continue
		}
		if s.ReadSize > 0 {
			break
		}
		written = append(written, s.Write...)
	}
	return written
}

// reordered returns whether the returns that result from the divergent step are in another
// order on Linux because of notifications among them: either of a node that was sent again,
// or of several nodes that lost their references when a process ended.
func (d *divergence) reordered(notifications []string) bool {
	linux, here := returnsOf(d.linuxRest), returnsOf(d.hereRest)
	if slices.Equal(linux, here) {
		return false
	}
	notifies := func(r string) bool { return slices.Contains(notifications, kindOf(r)) }
	again := slices.ContainsFunc(linux, func(r string) bool { return notifies(r) && d.sentAgain(r) })
	begun := slices.ContainsFunc(linux, func(r string) bool { return kindOf(r) == "INCREFS" || kindOf(r) == "ACQUIRE" })
	return (again || !begun && d.ended()) && slices.Equal(slices.DeleteFunc(linux, notifies), slices.DeleteFunc(here, notifies))
}

// sentAgain returns whether the thread of the divergent step has sent the node that r
// notifies of more than once since its last read.
func (d *divergence) sentAgain(r string) bool {
	sent := 0
	for _, c := range append(d.sinceLastRead(), d.last().Write...) {
		if c.Transaction == nil {
			continue
		}
		for _, o := range c.Transaction.Parts {
			if (o.Type == binder.BINDER_TYPE_BINDER || o.Type == binder.BINDER_TYPE_WEAK_BINDER) &&
				strings.HasSuffix(r, fmt.Sprintf(" %#x %#x", o.Binder, o.Cookie)) {
				sent++
			}
		}
	}
	return sent > 1
}

// halfAcknowledged returns whether the process that gets a return on our driver was notified
// of both a weak and a strong reference to a node, and has acknowledged one of them.
func (d *divergence) halfAcknowledged() bool {
	p, _ := d.threadOf(first(d.here))
	type node struct{ ptr, cookie uint64 }
	weak, strong := make(map[node]int), make(map[node]int)
	reads := -1
	for _, line := range d.before {
		if s, ok, _ := parseStep(line); ok {
			reads = s.P
			for _, c := range s.Write {
				switch n := (node{c.Ptr, c.Cookie}); {
				case s.P != p:
				case c.Code == binder.BC_INCREFS_DONE:
					weak[n]--
				case c.Code == binder.BC_ACQUIRE_DONE:
					strong[n]--
				}
			}
		} else if wokenLine.MatchString(line) {
			fmt.Sscanf(line, "  P%d.", &reads)
		} else if reads == p {
			var n node
			if count, _ := fmt.Sscanf(line, "    INCREFS %v %v", &n.ptr, &n.cookie); count == 2 {
				weak[n]++
			} else if count, _ := fmt.Sscanf(line, "    ACQUIRE %v %v", &n.ptr, &n.cookie); count == 2 {
				strong[n]++
			}
		}
	}
	for n := range weak {
		if (weak[n] > 0) != (strong[n] > 0) {
			return true
		}
	}
	return false
}

// unwritten matches the result of a read, whether it has slept or not, that can't write
// what it would return.
var unwritten = regexp.MustCompile(`^  (P\d+\.\d+:  )?EFAULT w=\d+/\d+ r=0$`)

// returns returns the returns that result from the divergent step only on Linux, and those
// that result only here. Each is preceded by its thread, or by "-" for the step's own.
func (d *divergence) returns() (more, less []string) {
	less = returnsOf(d.hereRest)
	for _, r := range returnsOf(d.linuxRest) {
		if i := slices.Index(less, r); i >= 0 {
			less = slices.Delete(less, i, i+1)
		} else {
			more = append(more, r)
		}
	}
	return more, less
}

// returnsOf returns all returns that result from a step, in the form that returns has. lines
// are the step's results, and what follows them, which is ignored.
func returnsOf(lines []string) []string {
	var all []string
	thread := "-"
	for _, line := range lines {
		if !strings.HasPrefix(line, "  ") {
			break
		}
		if m := wokenLine.FindString(line); m != "" {
			thread = strings.TrimSpace(m)
		}
		if strings.HasPrefix(line, "    ") && line[4] != ' ' {
			all = append(all, thread+" "+unlike.ReplaceAllString(strings.TrimSpace(line), ""))
		}
	}
	return all
}

// unlike matches the parts of returns in which rules hide differences.
var unlike = regexp.MustCompile(` pid=\S+|data=m\d+:0x[0-9a-f]+|offsets=0x[0-9a-f]+\+0 `)

// peeked matches the result of program.Peek.
var peeked = regexp.MustCompile(`^  [^:]+ (true|false)$`)

var withoutPlace = without(regexp.MustCompile(`\bdata=m\d+:0x[0-9a-f]+`))

// kindOf returns the name of a return in the form that returns has.
func kindOf(r string) string { return strings.Fields(r)[1] }

// threadOf returns the indices of the process and the thread that a return, or a line of
// results, is for.
func (d *divergence) threadOf(r string) (p, t int) {
	p, t = d.last().P, d.last().T
	fmt.Sscanf(strings.TrimSpace(r), "P%d.%d", &p, &t)
	return p, t
}

// allNamed returns whether there are any returns, and each has one of the names.
func allNamed(returns []string, names ...string) bool {
	for _, r := range returns {
		if !slices.Contains(names, kindOf(r)) {
			return false
		}
	}
	return len(returns) > 0
}

// asked returns whether the program has requested one of the death or freeze notifications
// among returns.
func (d *divergence) asked(returns []string) bool {
	for _, s := range d.steps {
		for _, c := range s.Write {
			if c.Code != binder.BC_REQUEST_DEATH_NOTIFICATION && c.Code != binder.BC_REQUEST_FREEZE_NOTIFICATION {
				continue
			}
			cookie := fmt.Sprintf("%#x", c.Cookie)
			if slices.ContainsFunc(returns, func(r string) bool { return slices.Contains(strings.Fields(r), cookie) }) {
				return true
			}
		}
	}
	return false
}

var senderPID = regexp.MustCompile(` pid=P[0-9?]+ `)

// nodeCounts matches the counts of references to a node, or the result if it is unknown.
var nodeCounts = regexp.MustCompile(`^  (ok|EINVAL) [0-9a-f]{48}$`)

// errnos are pairs of results for the same failure, by the Rust driver and here.
var errnos = []struct {
	op          pkgprogram.Op
	linux, here string
}{
	{pkgprogram.Freeze, "  ok", "  EINVAL"},
	{pkgprogram.LastError, "  ok FAILED_REPLY -1", "  ok FAILED_REPLY -22"},
	{pkgprogram.LastError, "  ok FAILED_REPLY -2", "  ok FAILED_REPLY -22"},
	{pkgprogram.LastError, "  ok FAILED_REPLY -12", "  ok FAILED_REPLY -22"},
	{pkgprogram.LastError, "  ok FAILED_REPLY -14", "  ok FAILED_REPLY -22"},
	{pkgprogram.LastError, "  ok FAILED_REPLY -22", "  ok FAILED_REPLY -14"},
	{pkgprogram.LastError, "  ok FAILED_REPLY -22", "  ok FAILED_REPLY -28"},
	{pkgprogram.LastError, "  ok FAILED_REPLY -22", "  ok FAILED_REPLY -71"},
	{pkgprogram.LastError, "  ok FAILED_REPLY -28", "  ok FAILED_REPLY -71"},
	{pkgprogram.LastError, "  ok FAILED_REPLY -12", "  ok DEAD_REPLY -22"},
	{pkgprogram.LastError, "  ok FAILED_REPLY -22", "  ok DEAD_REPLY -3"},
	{pkgprogram.LastError, "  ok FAILED_REPLY -22", "  ok DEAD_REPLY -22"},
	{pkgprogram.LastError, "  ok OK 0", "  ok DEAD_REPLY -22"},
	{pkgprogram.LastError, "  ok DEAD_REPLY 0", "  ok DEAD_REPLY -3"},
	{pkgprogram.LastError, "  ok OK 0", "  ok DEAD_REPLY -3"},
	{pkgprogram.LastError, "  ok OK 0", "  ok FROZEN_REPLY 0"},
}
