// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// Package perfetto writes the Binder driver's events as a trace for Perfetto: in the form
// of Linux's own tracepoints, from which Perfetto makes slices, flows and tables such as
// android_binder_txns.
//
// A trace is a protobuf message. Of Perfetto's hundreds of message types, a dozen are in
// use here. They are built field by field: Perfetto's definitions, and the code generated
// from them, would be far longer than this.
package perfetto

import "google.golang.org/protobuf/encoding/protowire"

// message is an encoded protobuf message under construction.
type message []byte

// uint appends field n of an unsigned type, or an enumeration.
func (m message) uint(n protowire.Number, v uint64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, n, protowire.VarintType), v)
}

// int is uint for a signed type, such as int32.
func (m message) int(n protowire.Number, v int64) message { return m.uint(n, uint64(v)) }

// bool is uint for a bool.
func (m message) bool(n protowire.Number, v bool) message {
	return m.uint(n, protowire.EncodeBool(v))
}

// string is uint for a string.
func (m message) string(n protowire.Number, v string) message {
	return protowire.AppendString(protowire.AppendTag(m, n, protowire.BytesType), v)
}

// message is uint for a message.
func (m message) message(n protowire.Number, v message) message {
	return protowire.AppendBytes(protowire.AppendTag(m, n, protowire.BytesType), v)
}

// Field numbers, by message.
const (
	traceID protowire.Number = 1 // Trace.packet

	packetFtraceEvents    protowire.Number = 1
	packetProcessTree     protowire.Number = 2
	packetClockSnapshot   protowire.Number = 6
	packetTimestamp       protowire.Number = 8
	packetSequence        protowire.Number = 10
	packetTrackEvent      protowire.Number = 11
	packetFtraceStats     protowire.Number = 34
	packetTrackDescriptor protowire.Number = 60

	clocksClock   protowire.Number = 1
	clocksPrimary protowire.Number = 2
	clockID       protowire.Number = 1
	clockTime     protowire.Number = 2

	treeProcesses        protowire.Number = 1
	treeThreads          protowire.Number = 2
	processPID           protowire.Number = 1
	processCmdline       protowire.Number = 3
	processNSPID         protowire.Number = 6
	processCmdlineIsComm protowire.Number = 9
	threadTID            protowire.Number = 1
	threadName           protowire.Number = 2
	threadTGID           protowire.Number = 3
	threadNSTID          protowire.Number = 4

	trackUUID            protowire.Number = 1
	trackName            protowire.Number = 2
	trackProcess         protowire.Number = 3
	trackThread          protowire.Number = 4
	trackParent          protowire.Number = 5
	processDescriptorPID protowire.Number = 1
	threadDescriptorPID  protowire.Number = 1
	threadDescriptorTID  protowire.Number = 2

	trackEventType     protowire.Number = 9
	trackEventTrack    protowire.Number = 11
	trackEventCategory protowire.Number = 22
	trackEventName     protowire.Number = 23

	bundleCPU        protowire.Number = 1
	bundleEvent      protowire.Number = 2
	bundleLostEvents protowire.Number = 3

	ftraceTimestamp    protowire.Number = 1
	ftracePID          protowire.Number = 2
	ftraceTransaction  protowire.Number = 50
	ftraceReceived     protowire.Number = 51
	ftraceAllocBuf     protowire.Number = 323
	ftraceCommand      protowire.Number = 485
	ftraceReturn       protowire.Number = 486
	receivedDebugID    protowire.Number = 1
	commandCode        protowire.Number = 1
	transactionDebugID protowire.Number = 1
	transactionNode    protowire.Number = 2
	transactionToProc  protowire.Number = 3
	transactionToTID   protowire.Number = 4
	transactionReply   protowire.Number = 5
	transactionCode    protowire.Number = 6
	transactionFlags   protowire.Number = 7
	allocBufData       protowire.Number = 1
	allocBufDebugID    protowire.Number = 2
	allocBufOffsets    protowire.Number = 3
	allocBufExtra      protowire.Number = 4

	statsPhase      protowire.Number = 1
	statsCPU        protowire.Number = 2
	cpuStatsCPU     protowire.Number = 1
	cpuStatsDropped protowire.Number = 8
)

// Values of enumerations.
const (
	clockRealtime  = 1
	clockMonotonic = 3
	clockBoottime  = 6

	typeSliceBegin = 1
	typeSliceEnd   = 2
	typeInstant    = 3

	statsEndOfTrace = 2
)
