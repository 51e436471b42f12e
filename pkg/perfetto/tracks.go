// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package perfetto

import (
	"fmt"

	"sentrybinder/pkg/sentry/devices/binder/trace"
)

// tracks writes e if Linux has no tracepoint for it that Perfetto understands. It uses
// tracks beside those of the threads: Perfetto considers a call with anything else inside
// broken.
func (t *writer) tracks(e *trace.Event) {
	switch e.Kind {
	case trace.Wait:
		track, name := t.waitTrack(e), "wait for work"
		if e.Reply != 0 {
			name = "wait for reply"
		}
		t.trackEvent(typeSliceBegin, track, name, e.Start)
		t.trackEvent(typeSliceEnd, track, "", e.Time)

	case trace.Return:
		if name := notices[e.Code]; name != "" {
			t.trackEvent(typeInstant, t.waitTrack(e), name, e.Time)
		}

	case trace.Frozen:
		if !t.frozen[e.PID] {
			t.frozen[e.PID] = true
			t.trackEvent(typeSliceBegin, t.freezerTrack(e.PID), "frozen", e.Time)
		}

	case trace.Thawed:
		t.thaw(e)

	case trace.Closed:
		t.thaw(e)
		t.trackEvent(typeInstant, t.freezerTrack(e.PID), "device closed", e.Time)

	case trace.Lost:
		if t.lost == 0 {
			t.track(message(nil).uint(trackUUID, lostTrack).string(trackName, "binder events lost"))
		}
		t.lost += uint64(e.Extra)
		t.trackEvent(typeInstant, lostTrack, fmt.Sprintf("%d events lost", e.Extra), e.Time)
	}
}

// thaw ends the slice of a frozen process.
func (t *writer) thaw(e *trace.Event) {
	if t.frozen[e.PID] {
		delete(t.frozen, e.PID)
		t.trackEvent(typeSliceEnd, t.freezerTrack(e.PID), "", e.Time)
	}
}

// trackEvent writes an event on a track. The end of a slice has no name.
func (t *writer) trackEvent(kind, track uint64, name string, time int64) {
	e := message(nil).uint(trackEventType, kind).uint(trackEventTrack, track)
	if name != "" {
		e = e.string(trackEventCategory, category).string(trackEventName, name)
	}
	t.packet(packetTrackEvent, e, t.time(time))
}

func (t *writer) track(descriptor message) { t.packet(packetTrackDescriptor, descriptor, 0) }

// waitTrack returns the track of the waits and notices of e's thread.
func (t *writer) waitTrack(e *trace.Event) uint64 {
	track := uuid(waitTracks, e.TID)
	if !t.waits[e.TID] {
		t.waits[e.TID] = true
		pid := e.PID
		if th := t.threads[e.TID]; th != nil {
			pid = th.PID
		}
		t.track(message(nil).uint(trackUUID, uuid(threadTracks, e.TID)).message(trackThread, message(nil).
			int(threadDescriptorPID, int64(pid)).
			int(threadDescriptorTID, int64(e.TID))))
		t.track(message(nil).uint(trackUUID, track).
			string(trackName, "binder waits").
			uint(trackParent, uuid(threadTracks, e.TID)))
	}
	return track
}

// freezerTrack returns the track of a process's state: frozen, closed.
func (t *writer) freezerTrack(pid int32) uint64 {
	track := uuid(freezerTracks, pid)
	if !t.freezers[pid] {
		t.freezers[pid] = true
		t.track(message(nil).uint(trackUUID, uuid(processTracks, pid)).message(trackProcess, message(nil).
			int(processDescriptorPID, int64(pid))))
		t.track(message(nil).uint(trackUUID, track).
			string(trackName, "binder process").
			uint(trackParent, uuid(processTracks, pid)))
	}
	return track
}
