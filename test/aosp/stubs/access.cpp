// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// The service manager's Access: the driver identifies the caller, and everything is
// allowed. AOSP's asks SELinux, and on systems other than Android does not identify the
// caller at all.

#include "Access.h"

#include <binder/IPCThreadState.h>

namespace android {

Access::Access() {}
Access::~Access() {}

Access::CallingContext Access::getCallingContext() {
    const IPCThreadState* ipc = IPCThreadState::self();
    const char* sid = ipc->getCallingSid();
    return {ipc->getCallingPid(), ipc->getCallingUid(), sid ? sid : ""};
}

bool Access::canFind(const CallingContext&, const std::string&) {
    return true;
}

bool Access::canAdd(const CallingContext&, const std::string&) {
    return true;
}

bool Access::canList(const CallingContext&) {
    return true;
}

}  // namespace android
