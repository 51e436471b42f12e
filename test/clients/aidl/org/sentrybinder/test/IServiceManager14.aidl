// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package org.sentrybinder.test;

/**
 * The part of Android 11 to 14's service manager that is needed here, for a
 * library that only knows another version's transaction codes.
 */
@Descriptor(value="android.os.IServiceManager")
interface IServiceManager14 {
    @nullable IBinder getService(@utf8InCpp String name) = 0;

    void addService(@utf8InCpp String name, IBinder service, boolean allowIsolated, int dumpPriority) = 2;

    @utf8InCpp String[] listServices(int dumpPriority) = 3;
}
