// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package org.sentrybinder.test;

import org.sentrybinder.test.IListener;

/**
 * The interface between services and clients in every language. The codes
 * start with 2, since binder-call refuses 1; the gaps are echo_service.py's
 * calls that AIDL cannot express.
 */
interface IEcho {
    /** The text with its ASCII letters in upper case. */
    @utf8InCpp String upper(@utf8InCpp String text) = 1;

    int add(int a, int b) = 2;

    oneway void note(@utf8InCpp String text) = 5;

    /** What the listener's onEvent(text) returns, and an exclamation mark. */
    @utf8InCpp String callBack(IListener listener, @utf8InCpp String text) = 6;

    byte[] reverse(in byte[] data) = 9;

    /** Writes the text; returns its size in bytes. */
    int writeFile(in ParcelFileDescriptor file, @utf8InCpp String text) = 10;

    /** The end of a pipe from which the text can be read. */
    ParcelFileDescriptor openFile(@utf8InCpp String text) = 11;

    /** The caller: pid << 32 | uid. */
    long caller() = 12;

    /** Answers with a service-specific error. */
    void fail(int code, @utf8InCpp String message) = 13;

    /** How many notes have arrived. */
    int notes() = 14;

    /**
     * The last number that has come of the notes "TAG 1", "TAG 2" and so on;
     * -1 if one was out of order.
     */
    int heard(@utf8InCpp String tag) = 15;
}
