// Copyright 2026 The sentrybinder Authors.
// SPDX-License-Identifier: Apache-2.0

// libvintf, which no distribution packages, on a device whose manifests are empty: it
// declares no vendor interfaces. This is the part of it that the service manager uses.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace android::vintf {

enum class HalFormat { HIDL, NATIVE, AIDL };

struct ManifestInstance {
    HalFormat format() const { return HalFormat::AIDL; }
    std::string package() const { return {}; }
    std::string interface() const { return {}; }
    std::string instance() const { return {}; }
    std::optional<std::string> updatableViaApex() const { return {}; }
    std::optional<std::string> ip() const { return {}; }
    std::optional<uint64_t> port() const { return {}; }
};

struct HalManifest {
    bool hasAidlInstance(const std::string&, const std::string&, const std::string&) const { return false; }
    std::set<std::string> getAidlInstances(const std::string&, const std::string&) const { return {}; }
    bool forEachInstance(const std::function<bool(const ManifestInstance&)>&) const { return true; }
};

struct VintfObject {
    static std::shared_ptr<VintfObject> GetInstance() { return std::make_shared<VintfObject>(); }
    std::shared_ptr<const HalManifest> getDeviceHalManifest() const { return std::make_shared<HalManifest>(); }
    std::shared_ptr<const HalManifest> getFrameworkHalManifest() const { return std::make_shared<HalManifest>(); }
};

}  // namespace android::vintf
