// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// android::base::SetProperty as on Android, where it asks init over a socket: this is how
// services are started on demand ("ctl.interface_start"). The message is bionic's
// PROP_MSG_SETPROP2. Without an init, the property is the process's own, as in libbase on
// other systems.

#include <android-base/properties.h>
#include <android-base/unique_fd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

extern "C" int __system_property_set(const char* key, const char* value);

namespace {

constexpr char kSocket[] = "/dev/socket/property_service";
constexpr uint32_t kSetProperty = 0x00020001;

// Returns whether init set the property, or nothing if there is no init.
std::optional<bool> askInit(const std::string& key, const std::string& value) {
    android::base::unique_fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (fd == -1) return {};
    sockaddr_un address = {.sun_family = AF_UNIX};
    static_assert(sizeof(kSocket) <= sizeof(address.sun_path));
    memcpy(address.sun_path, kSocket, sizeof(kSocket));
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return {};

    std::string message;
    auto number = [&](uint32_t n) { message.append(reinterpret_cast<char*>(&n), sizeof(n)); };
    number(kSetProperty);
    for (const std::string& text : {key, value}) {
        number(text.size());
        message += text;
    }
    if (send(fd, message.data(), message.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(message.size())) return false;
    int32_t result;
    return recv(fd, &result, sizeof(result), MSG_WAITALL) == sizeof(result) && result == 0;
}

}  // namespace

namespace android::base {

bool SetProperty(const std::string& key, const std::string& value) {
    if (std::optional<bool> set = askInit(key, value)) return *set;
    return __system_property_set(key.c_str(), value.c_str()) == 0;
}

}  // namespace android::base
