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

// rustRules are what Linux's driver in Rust does in another way than the one in C.
// What programs for it leave out is told in package play.
var rustRules = []rule{
	{
		name: "where a buffer is",
		peer: "rust",
		why: "Linux's driver in C takes the smallest hole that a buffer fits in, and of several of that size the one that " +
			"is at the top of its tree of them. The one in Rust prefers the end of what is in use, and the lowest. What is " +
			"large may so fit in one, and not in the other, and pages are in use that are not in the other.",
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
		name: "who called and is gone",
		peer: "rust",
		why: "The driver in Rust remembers the process that a call came from, " +
			"the one in C takes it from the thread that waits for the answer, if there is one.",
		hide: func(_ *pkgprogram.Step, linux, here string) (string, string) {
			if strings.Contains(here, " pid=0 ") {
				linux = senderPID.ReplaceAllString(linux, " pid=0 ")
			}
			return linux, here
		},
	},
	{
		name: "how what is refused is told",
		peer: "rust",
		why: "The two drivers give requests, and transactions, that make no sense different errnos. In Rust, freezing a " +
			"process without a device is no error, nor is for BINDER_GET_EXTENDED_ERROR that a target is dead or frozen. " +
			"Calls by a thread that waits for an answer are refused last, after whatever else is wrong. A malformed " +
			"transaction to a dead node is BR_FAILED_REPLY, and BR_DEAD_REPLY in C. Reports of calls that were not queued " +
			"don't say for which thread they are, nor those of answers for whom; answers to who has left are not reported.",
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
		name: "work that comes to nothing",
		peer: "rust",
		why: "The drivers differ in when they take back work that is none any more, and in whether a thread is woken for it. " +
			"One that is finds nothing and waits again, now as the latest; meanwhile it does not count as waiting for " +
			"BR_SPAWN_LOOPER. And in Rust there's something to poll for, and to read BR_TRANSACTION_COMPLETE with, or nothing. " +
			"To become the context manager makes a node there, and work of it, even if that is refused: a thread that comes " +
			"to it waits for its own work alone in that read.",
		applies: func(d *divergence) bool {
			more, less := d.returns()
			if allNamed(slices.Concat(more, less), "SPAWN_LOOPER") {
				return true
			}
			if first(d.here) == "  sleeps" && len(less) == 0 &&
				(len(more) == 1 && allNamed(more, "TRANSACTION_COMPLETE") || len(more) == 0 && strings.HasSuffix(first(d.linux), " r=4 NOOP") || d.cantTell()) {
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
		why: "With references to a node gone, the driver in C tells BR_RELEASE or BR_DECREFS when the respective " +
			"BR_ACQUIRE or BR_INCREFS has been acknowledged, the one in Rust when as many acknowledgements have come " +
			"as are due, of either kind.",
		applies: func(d *divergence) bool {
			more, less := d.returns()
			acknowledges := d.writes(func(c *pkgprogram.Command) bool {
				return c.Code == binder.BC_INCREFS_DONE || c.Code == binder.BC_ACQUIRE_DONE
			})
			return allNamed(slices.Concat(more, less), "RELEASE", "DECREFS") ||
				unwritten.MatchString(first(d.here)) && (acknowledges || d.halfAcknowledged()) // who was told has no memory for it
		},
	},
	{
		name: "news of nodes",
		peer: "rust",
		why: "Until the driver in C has told of a reference to a node, it may take that back, because the reference has " +
			"gone, tell another thread, which has sent the node, too, or tell the same one later, which has sent it again. " +
			"The one in Rust tells as it has decided first, and counts such references. A thread that was woken for news " +
			"that was taken back reads what else there is. A process that ends gives up its handles in their order in C, " +
			"and in that of a tree's leaves before its branches in Rust.",
		applies: func(d *divergence) bool {
			more, less := d.returns()
			news := []string{"INCREFS", "ACQUIRE", "RELEASE", "DECREFS", "SPAWN_LOOPER"}
			if allNamed(more, news...) && allNamed(less, "TRANSACTION_COMPLETE") {
				return true
			}
			if len(more) == 0 && len(less) == 0 {
				return d.newsReordered(news)
			}
			return allNamed(slices.Concat(more, less), news...)
		},
		hide: func(s *pkgprogram.Step, linux, here string) (string, string) {
			if s.Op == pkgprogram.NodeInfo || s.Op == pkgprogram.NodeDebug {
				return nodeCounts.ReplaceAllString(linux, ""), nodeCounts.ReplaceAllString(here, "")
			}
			return linux, here
		},
	},
	{
		name: "which thread is told what it asked for",
		peer: "rust",
		why: "Of a death that has happened already the driver in C tells the thread that asks, and of the state of being " +
			"frozen one that reads. The one in Rust tells one that waits, if there's any. It also tells that who is dead " +
			"is not frozen, which the one in C does not.",
		applies: func(d *divergence) bool {
			more, less := d.returns()
			return slices.ContainsFunc([][]string{more, less}, func(returns []string) bool {
				returns = slices.DeleteFunc(returns, func(r string) bool { return kindOf(r) == "SPAWN_LOOPER" })
				return len(returns) > 0 && d.asked(returns[:1]) && allNamed(returns[:1], "DEAD_BINDER", "FROZEN_BINDER")
			})
		},
	},
	{
		name: "an answer, and the end of the call before",
		peer: "rust",
		why: "If the call that a thread made before has ended meanwhile, and it answers another one, the driver in Rust " +
			"tells the one first, the one in C the other.",
		applies: func(d *divergence) bool {
			more, less := d.returns()
			// There may be room for one of them only.
			one := len(more) == 1 && len(less) == 1 && allNamed(more, "DEAD_REPLY") && allNamed(less, "TRANSACTION_COMPLETE")
			return (one || len(more) == 0 && len(less) == 0) &&
				strings.HasSuffix(first(d.linux), "DEAD_REPLY ") && strings.HasSuffix(first(d.here), "TRANSACTION_COMPLETE ")
		},
	},
}

// What reports of transactions that have failed say of how.
var (
	reportOfFailed = fmt.Sprintf(" %d=%#x ", binder.BINDER_A_REPORT_ERROR, uint32(binder.BR_FAILED_REPLY))
	reportOfDead   = fmt.Sprintf(" %d=%#x ", binder.BINDER_A_REPORT_ERROR, uint32(binder.BR_DEAD_REPLY))
)

// has returns whether the program has a step of kind op.
func (d *divergence) has(op pkgprogram.Op) bool {
	return slices.ContainsFunc(d.steps, func(s pkgprogram.Step) bool { return s.Op == op })
}

// ended returns whether a process has ended, or closed a device.
func (d *divergence) ended() bool {
	return d.has(pkgprogram.Kill) || d.has(pkgprogram.Exit) || d.has(pkgprogram.Close) ||
		slices.ContainsFunc(d.before, func(line string) bool { return strings.HasPrefix(line, "end P") })
}

// writes returns whether the step that shows the divergence writes a command that is
// as told.
func (d *divergence) writes(is func(c *pkgprogram.Command) bool) bool {
	return slices.ContainsFunc(d.last().Write, func(c pkgprogram.Command) bool { return is(&c) })
}

// cantTell returns whether a read can't tell that it has returned something.
func (d *divergence) cantTell() bool {
	return d.last().Fault == pkgprogram.ArgReadOnly && strings.HasPrefix(first(d.linux), "  EFAULT ")
}

// wouldManage returns whether the thread that r is for has asked to be a context
// manager.
func (d *divergence) wouldManage(r string) bool {
	p, t := d.threadOf(r)
	return slices.ContainsFunc(d.steps, func(s pkgprogram.Step) bool { return s.P == p && s.T == t && s.WouldManage() })
}

// unread returns what the thread whose step shows the divergence has written before
// that step, and not read since.
func (d *divergence) unread() []pkgprogram.Command {
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

// newsReordered returns whether what the divergent step lets threads read is in another
// order on Linux, and that is because some of it is news of a node: one that was sent
// again, or several that nobody has any more because a process has ended.
func (d *divergence) newsReordered(news []string) bool {
	linux, here := returnsOf(d.linuxRest), returnsOf(d.hereRest)
	if slices.Equal(linux, here) {
		return false
	}
	ofNews := func(r string) bool { return slices.Contains(news, kindOf(r)) }
	again := slices.ContainsFunc(linux, func(r string) bool { return ofNews(r) && d.sentAgain(r) })
	begun := slices.ContainsFunc(linux, func(r string) bool { return kindOf(r) == "INCREFS" || kindOf(r) == "ACQUIRE" })
	return (again || !begun && d.ended()) && slices.Equal(slices.DeleteFunc(linux, ofNews), slices.DeleteFunc(here, ofNews))
}

// sentAgain returns whether the thread whose step shows the divergence has sent the
// node that r is news of more than once since it has read last.
func (d *divergence) sentAgain(r string) bool {
	sent := 0
	for _, c := range append(d.unread(), d.last().Write...) {
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

// halfAcknowledged returns whether the process of the thread that finds something here
// was told of both a weak and a strong reference to a node, and has acknowledged one.
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

// unwritten matches the result of a thread that has no memory for what it would return,
// whether it has slept or not.
var unwritten = regexp.MustCompile(`^  (P\d+\.\d+:  )?EFAULT w=\d+/\d+ r=0$`)

// returns returns what the divergent step lets threads read on Linux, and not here,
// and the other way round: each with the thread, if it's not the step's, before it.
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

// returnsOf returns what a step lets threads read, as returns does. Lines are what
// came of the step, and of others, which don't count.
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

// unlike is what rules hide of returns.
var unlike = regexp.MustCompile(` pid=\S+|data=m\d+:0x[0-9a-f]+|offsets=0x[0-9a-f]+\+0 `)

// peeked matches what comes of program.Peek.
var peeked = regexp.MustCompile(`^  [^:]+ (true|false)$`)

var withoutPlace = without(regexp.MustCompile(`\bdata=m\d+:0x[0-9a-f]+`))

// kindOf returns the name of a return.
func kindOf(r string) string { return strings.Fields(r)[1] }

// threadOf returns the numbers of the process and the thread that a return is for, or
// a line tells of.
func (d *divergence) threadOf(r string) (p, t int) {
	p, t = d.last().P, d.last().T
	fmt.Sscanf(strings.TrimSpace(r), "P%d.%d", &p, &t)
	return p, t
}

// allNamed returns whether there are returns, and all have one of names.
func allNamed(returns []string, names ...string) bool {
	for _, r := range returns {
		if !slices.Contains(names, kindOf(r)) {
			return false
		}
	}
	return len(returns) > 0
}

// asked returns whether the program has asked for one of the deaths or freezes that
// returns tell of.
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

// nodeCounts are counts of references to a node, or a node that is still known.
var nodeCounts = regexp.MustCompile(`^  (ok|EINVAL) [0-9a-f]{48}$`)

// errnos are results of the same failure, by the driver in Rust and here.
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
	{pkgprogram.LastError, "  ok OK 0", "  ok DEAD_REPLY -3"},
	{pkgprogram.LastError, "  ok OK 0", "  ok FROZEN_REPLY 0"},
}
