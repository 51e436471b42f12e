# Copyright 2026 The sentrybinder Authors.
# SPDX-License-Identifier: Apache-2.0
"""The calls of android.os.IServiceManager that libgbinder does not make.

They are what libbinder's waitForService and LazyServiceRegistrar are made of.
"""

import gbinder

# From IServiceManager.aidl of Android 16.
GET_SERVICE = 1
REGISTER_FOR_NOTIFICATIONS = 7
REGISTER_CLIENT_CALLBACK = 14
TRY_UNREGISTER_SERVICE = 15


def call(client, code, *arguments):
    """Makes a call with strings and objects; returns its reply and its reader.

    The reader reads from the reply and does not keep it. Both are None if the
    service answered with an exception.
    """
    request = client.new_request()
    for argument in arguments:
        if isinstance(argument, str):
            request.append_string16(argument)
        else:
            request.append_local_object(argument)
    reply, status = client.transact_sync_reply(code, request)
    if status != 0:
        raise OSError("call %d failed with %d" % (code, status))
    reader = reply.init_reader()
    if reader.read_int32() != (True, 0):
        return None, None
    return reply, reader


class ServiceManager:
    """The service manager of a device."""

    def __init__(self, device="/dev/binder"):
        self.gbinder = gbinder.ServiceManager(device)
        if not self.gbinder.wait(-1):
            raise OSError("no service manager on " + device)
        itself, _ = self.gbinder.get_service_sync("manager")
        self.client = gbinder.Client(itself, "android.os.IServiceManager")
        self.callbacks = []

    def get_service(self, name):
        """Returns a service, or None, and then the manager starts it if it can."""
        _, reader = call(self.client, GET_SERVICE, name)
        service = reader.read_object()
        # A null object counts as dead.
        return None if service.is_dead() else service

    def notify(self, name, on_registration):
        """Has a function called when the service is registered."""

        def handler(request, code, flags):
            on_registration()
            return None, 0

        callback = self.gbinder.new_local_object("android.os.IServiceCallback", handler)
        self.callbacks.append(callback)
        call(self.client, REGISTER_FOR_NOTIFICATIONS, name, callback)

    def add_lazy_service(self, name, service, on_leave):
        """Registers a service, and takes it back once it has no client."""

        def handler(request, code, flags):
            reader = request.init_reader()
            # The service itself, which libgbinder can't read as it is no
            # remote object: a struct flat_binder_object and the stability.
            for _ in range(7):
                reader.read_int32()
            _, has_clients = reader.read_int32()
            # It is refused if somebody has asked for it since.
            if not has_clients and call(self.client, TRY_UNREGISTER_SERVICE, name, service)[0]:
                on_leave()
            return None, 0

        callback = self.gbinder.new_local_object("android.os.IClientCallback", handler)
        self.callbacks.append(callback)
        self.gbinder.add_service_sync(name, service)
        call(self.client, REGISTER_CLIENT_CALLBACK, name, service, callback)
