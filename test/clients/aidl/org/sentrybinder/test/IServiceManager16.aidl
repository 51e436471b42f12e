// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package org.sentrybinder.test;

/** The same part of Android 16's service manager. */
@Descriptor(value="android.os.IServiceManager")
interface IServiceManager16 {
    @nullable IBinder getService(@utf8InCpp String name) = 0;

    void addService(@utf8InCpp String name, IBinder service, boolean allowIsolated, int dumpPriority) = 4;

    @utf8InCpp String[] listServices(int dumpPriority) = 5;
}
