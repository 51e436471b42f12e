// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// What AOSP's code assumes because it is compiled with bionic and libc++. Included before
// each of its files.

#ifndef SENTRYBINDER_COMPAT_H_
#define SENTRYBINDER_COMPAT_H_

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#ifdef __cplusplus
// libc++'s headers include these.
#include <algorithm>
#include <atomic>
#include <bitset>
#include <climits>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <variant>
#include <vector>
#endif

// binder_module.h defines what older kernel headers lacked, unless it is a macro. In
// newer headers it is an enumerator.
#include <linux/android/binder.h>
#define BINDER_FREEZE BINDER_FREEZE
#define BINDER_GET_FROZEN_INFO BINDER_GET_FROZEN_INFO
#define BINDER_ENABLE_ONEWAY_SPAM_DETECTION BINDER_ENABLE_ONEWAY_SPAM_DETECTION
// Installed headers lack the _UAPI in their guards, by which binder_module.h recognizes
// that they have been included.
#define _UAPI_LINUX_BINDER_H

#endif  // SENTRYBINDER_COMPAT_H_
