// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

package android.os.logcat;

/** Whom logd asks whether an app may read all logs: it runs in system_server, which is not here. */
oneway interface ILogcatManagerService {
    void startThread(in int uid, in int gid, in int pid, in int fd);
    void finishThread(in int uid, in int gid, in int pid, in int fd);
}
