// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package syscalls

import "testing"

// A difference is one between Linux's two drivers: a row of docs/linux.md, which says
// what each does and which one is followed here.
type difference string

// The differences that this directory's tests meet.
const (
	onFirstRead        difference = "first-read"
	onFlush            difference = "flush"
	onSmallBuffer      difference = "small-buffer"
	onNoLooper         difference = "no-looper"
	onPollFailure      difference = "poll-failure"
	onUnreadFailure    difference = "unread-failure"
	onFaultyRead       difference = "faulty-read"
	onOpener           difference = "opener"
	onCallerGone       difference = "caller-gone"
	onExit             difference = "exit"
	onAnswerOrder      difference = "answer-order"
	onManagerItself    difference = "manager-itself"
	onReleaseOrder     difference = "release-order"
	onNice             difference = "nice"
	onBestFit          difference = "best-fit"
	onNoMapping        difference = "no-mapping"
	onShrinker         difference = "shrinker"
	onOffsetsAddress   difference = "offsets-address"
	onPadding          difference = "padding"
	onHandleZero       difference = "handle-zero"
	onFreeOrder        difference = "free-order"
	onAcknowledgements difference = "acknowledgements"
	onParents          difference = "parents"
	onAlignment        difference = "alignment"
	onEmptyArrays      difference = "empty-arrays"
	onLostReply        difference = "lost-reply"
	onBadAddress       difference = "bad-address"
	onErrno            difference = "errno"
	onErrorNumber      difference = "error-number"
	onNoError          difference = "no-error"
	onReports          difference = "reports"
	onReportReceiver   difference = "report-receiver"
	onCommandsEnd      difference = "commands-end"
	onNodeCounts       difference = "node-counts"
	onNodeUnknown      difference = "node-unknown"
	onFreezeNobody     difference = "freeze-nobody"
	onFreezeBusy       difference = "freeze-busy"
	onFreezeOrder      difference = "freeze-order"
	onFreezeOverlap    difference = "freeze-overlap"
	onPendingFrozen    difference = "pending-frozen"
	onFrozenReferences difference = "frozen-references"
	onFrozenDead       difference = "frozen-dead"
	onToldOnce         difference = "told-once"
	onCookieTwice      difference = "cookie-twice"
	onSpamOnce         difference = "spam-once"
	onSpamCounts       difference = "spam-counts"
	onSpamWhen         difference = "spam-when"
	onNames            difference = "names"
	onLogs             difference = "logs"
)

// asRust holds the differences in which the Rust driver is followed, not the C driver.
var asRust = map[difference]bool{
	onFirstRead:      true,
	onFaultyRead:     true,
	onOpener:         true,
	onExit:           true,
	onPadding:        true,
	onOffsetsAddress: true,
	onParents:        true,
	onAlignment:      true,
	onBadAddress:     true,
	onReportReceiver: true,
	onCommandsEnd:    true,
	onNodeUnknown:    true,
	onCookieTwice:    true,
}

// differs returns whether the test runs on the Linux driver that is not followed in d,
// for a test that expects something else of that one.
func differs(t testing.TB, d difference) bool {
	t.Helper()
	other := isRust
	if asRust[d] {
		other = isC
	}
	if other {
		t.Logf("this driver of Linux's differs: docs/linux.md, %s", d)
	}
	return other
}
