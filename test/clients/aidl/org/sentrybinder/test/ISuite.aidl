// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package org.sentrybinder.test;

import org.sentrybinder.test.IListener;
import org.sentrybinder.test.ISession;
import org.sentrybinder.test.Record;

/** What services generated from AIDL offer beyond IEcho, to clients generated from it. */
interface ISuite {
    Record echo(in Record record);

    @nullable @utf8InCpp String orNull(@nullable @utf8InCpp String text);

    byte[] repeat(in byte[] data, int times);

    /** Answers with this exception. */
    void raise(int exception, @utf8InCpp String message);

    ISession open(@utf8InCpp String name);

    /** How many sessions are live. */
    int sessions();

    /** The depth of a session; negative if the session is in another process. */
    int inspect(ISession session);

    /** Calls the peer's bounce with the depth reduced by one, and so on down to 0; each adds a mark to the text. */
    @utf8InCpp String bounce(ISuite peer, int depth, @utf8InCpp String text);

    /** Keeps a listener for notifyListeners, until it dies. */
    void addListener(IListener listener);

    int listeners();

    /** Calls each listener's onNote with 0, 1, ... count - 1. */
    oneway void notifyListeners(int count);

    /** Takes number 0, 1, 2, ... from a sender. */
    oneway void storm(int sender, int number);

    /** How many of a sender's numbers have arrived; -1 if one was out of order, or came with a PID. */
    int taken(int sender);

    /** Returns once this many calls of it are in progress. */
    void rendezvous(int parties);

    /** Ends when letGo is called; no other one-way call comes until then. */
    oneway void hold();

    void letGo();

    oneway void swallow(in byte[] data);

    /** How many bytes swallow has received. */
    int swallowed();

    /** The same files in reverse order. */
    ParcelFileDescriptor[] reverseFiles(in ParcelFileDescriptor[] files);

    /** Adds one to each byte of shared memory; returns the sum of their old values. */
    long share(in ParcelFileDescriptor memory);

    /** How many files this process has open. */
    int files();

    /** Exits instead of answering. */
    void exit(int status);
}
