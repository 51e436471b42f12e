# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0

"""What is built of AOSP: the parts of its Android.bp files that matter here.

Paths are relative to AOSP's source, or, with "stubs/" in front, to this
directory. ninja.py makes a ninja file of it.
"""

from dataclasses import dataclass, field

NATIVE = "frameworks/native/"
BINDER = NATIVE + "libs/binder/"
NDK = BINDER + "ndk/"
TESTS = BINDER + "tests/"
FUZZER = TESTS + "parcel_fuzzer/"
CMDS = NATIVE + "cmds/"

# Where Android has them. A test's path is NATIVE_TESTS/NAME/NAME.
LIBRARIES = "/system/lib64"
NATIVE_TESTS = "/data/nativetest64"

# Before and after what a module includes itself.
INCLUDES = [
    "stubs",
    BINDER + "include",
    NDK + "include_cpp",
    "system/core/libprocessgroup/include",
    "system/core/libutils/include",
    "system/core/libcutils/include",
    "system/core/libsystem/include",
    "system/core/include",
    "system/libbase/include",
    "system/logging/liblog/include",
    "external/fmtlib/include",
    "libnativehelper/include_jni",
]
INCLUDES_NDK = [NDK + "include_ndk", NDK + "include_platform"]

# Debian's, of the same source.
ANDROID = ["utils", "cutils", "base", "log"]


@dataclass
class Aidl:
    """Interfaces of which C++ is made.

    Attributes:
        name: of the directory that what is made is in
        root: what the packages' directories are in
        files: relative to root
        lang: cpp or ndk
        imports: where else to look for a type
        flags: of the compiler
    """

    name: str
    root: str
    files: list[str]
    lang: str = "cpp"
    imports: list[str] = field(default_factory=list)
    flags: str = ""


@dataclass
class Module:
    """A library or a program.

    Attributes:
        out: its path in the root, or lib*.a for one that is linked into others
        srcs: files, or glob-free paths; an Aidl stands for what is made of it
        uses: other modules whose symbols it needs, and whose headers it may include
        aidl: interfaces whose C++ is a part of it
        flags: for all its files
        file_flags: for some
        includes: directories, for itself
        exports: directories, for itself and for those that use it
        libs: of Debian, besides ANDROID
    """

    out: str
    srcs: list[str]
    uses: list["Module"] = field(default_factory=list)
    aidl: list[Aidl] = field(default_factory=list)
    flags: str = ""
    file_flags: dict[str, str] = field(default_factory=dict)
    includes: list[str] = field(default_factory=list)
    exports: list[str] = field(default_factory=list)
    libs: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.out.strip("/").replace("/", "_")

    @property
    def static(self) -> bool:
        return self.out.endswith(".a")

    @property
    def shared(self) -> bool:
        return self.out.endswith(".so")


MODULES: list[Module] = []


def module(*args, **kwargs) -> Module:
    MODULES.append(Module(*args, **kwargs))
    return MODULES[-1]


def under(directory: str, names: str) -> list[str]:
    return [directory + name for name in names.split()]


# The libraries.

libbinder = module(
    f"{LIBRARIES}/libbinder.so",
    under(
        BINDER,
        # libbinder_common_defaults
        "Binder.cpp BpBinder.cpp Debug.cpp FdTrigger.cpp IInterface.cpp IResultReceiver.cpp Parcel.cpp"
        " ParcelFileDescriptor.cpp RecordedTransaction.cpp RpcSession.cpp RpcServer.cpp RpcState.cpp Stability.cpp"
        " Status.cpp TextOutput.cpp Trace.cpp Utils.cpp"
        # libbinder_android_defaults
        " OS.cpp RpcTransportRaw.cpp UtilsHost.cpp"
        # libbinder_kernel_defaults
        " BufferedTextOutput.cpp IPCThreadState.cpp IServiceManager.cpp ProcessState.cpp Static.cpp"
        " ServiceManagerHost.cpp IPermissionController.cpp PermissionCache.cpp PermissionController.cpp"
        # libbinder
        " IMemory.cpp IShellCallback.cpp LazyServiceRegistrar.cpp MemoryBase.cpp MemoryDealer.cpp"
        " MemoryHeapBase.cpp ParcelableHolder.cpp PersistableBundle.cpp",
    )
    # Debian's libutils goes without.
    + ["system/core/libutils/Errors.cpp"],
    aidl=[
        Aidl(
            "libbinder",
            BINDER + "aidl/",
            under(
                "android/os/",
                "ConnectionInfo.aidl IClientCallback.aidl IServiceCallback.aidl IServiceManager.aidl"
                " ServiceDebugInfo.aidl",
            )
            # packagemanager_aidl-cpp, a library of its own
            + under(
                "android/content/pm/",
                "IPackageChangeObserver.aidl IPackageManagerNative.aidl PackageChangeEvent.aidl"
                " IStagedApexObserver.aidl ApexStagedEvent.aidl StagedApexInfo.aidl",
            ),
        )
    ],
    flags="-DBINDER_WITH_KERNEL_IPC -DBINDER_RPC_DEV_SERVERS -DBINDER_ENABLE_RECORDING"
    " -DANDROID_UTILS_REF_BASE_DISABLE_IMPLICIT_CONSTRUCTION -DANDROID_BASE_UNIQUE_FD_DISABLE_IMPLICIT_CONVERSION",
    # The ioctls are for Android alone.
    file_flags={BINDER + "IPCThreadState.cpp": "-D__ANDROID__"},
)

libbinder_ndk = module(
    f"{LIBRARIES}/libbinder_ndk.so",
    under(
        NDK,
        "ibinder.cpp ibinder_jni.cpp libbinder.cpp parcel.cpp parcel_jni.cpp process.cpp stability.cpp status.cpp"
        " service_manager.cpp",
    )
    + [NATIVE + "libs/android_runtime_lazy/android_runtime_lazy.cpp"],
    uses=[libbinder],
    includes=[NATIVE + "libs/android_runtime_lazy/include"],
    exports=INCLUDES_NDK,
)

# The service managers. Android's Access.cpp asks SELinux.

manager = dict(uses=[libbinder], flags="-DANDROID_UTILS_REF_BASE_DISABLE_IMPLICIT_CONSTRUCTION")
manager_srcs = [CMDS + "servicemanager/ServiceManager.cpp", "stubs/access.cpp"]
manager_main = [CMDS + "servicemanager/main.cpp", "stubs/set_property.cpp"]
module("/system/bin/servicemanager", manager_srcs + manager_main, includes=[CMDS + "servicemanager"], **manager)
module(
    "/vendor/bin/vndservicemanager",
    manager_srcs + manager_main,
    includes=[CMDS + "servicemanager"],
    uses=[libbinder],
    flags=manager["flags"] + " -DVENDORSERVICEMANAGER=1",
)

# The tools.

# For another system it asks adb for a device.
android = "-D__ANDROID__ -DXP_UNIX"
module("/system/bin/service", [CMDS + "service/service.cpp"], uses=[libbinder], flags=android)
module(
    "/vendor/bin/vndservice", [CMDS + "service/service.cpp"], uses=[libbinder], flags=android + " -DVENDORSERVICES"
)


# The tests.

gtest_main = ["/usr/lib/x86_64-linux-gnu/libgtest_main.a", "/usr/lib/x86_64-linux-gnu/libgtest.a"]
gtest = gtest_main[1:]
gmock = ["/usr/lib/x86_64-linux-gnu/libgmock.a", *gtest]


def test(name: str, srcs: list[str], uses: list[Module], libs: list[str] = gtest, flags: str = "", **kwargs) -> Module:
    return module(
        f"{NATIVE_TESTS}/{name}/{name}", srcs, uses, libs=libs, flags=("-include test.h " + flags).strip(), **kwargs
    )


test("binderDriverInterfaceTest", [TESTS + "binderDriverInterfaceTest.cpp"], [libbinder])
