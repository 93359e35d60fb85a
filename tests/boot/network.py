# SPDX-License-Identifier: MIT
"""Traffic over the user network: files fetched from a server on the host and served to it through a forwarded port."""
import hashlib
import http.server
import os
import shutil
import socket
import threading
import urllib.request

from harness import boot, boot_test, check, check_equal, finish, linux, no_kernel_complaints, scratch

MEGABYTES = 100


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def hash_of(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else \
            hashlib.sha256(f.read()).hexdigest()


class Server:
    """Serves a folder over HTTP on the host's loopback."""

    def __init__(self, folder):
        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments):
                super().__init__(*arguments, directory=folder)

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def bring_up(guest, driver):
    """DHCP on the first card; checks which bus it is on."""
    script = ("#!/bin/sh\\n[ \"$1\" = bound ] || exit 0\\nip addr add $ip/$mask dev $interface\\n"
              "ip route add default via $router\\necho nameserver $dns > /etc/resolv.conf\\n")
    guest.run("printf '%s' > /tmp/dhcp; chmod +x /tmp/dhcp" % script.replace("%", "%%").replace("'", "'\\''"))
    check_equal(guest.run("ip link set lo up; ip link set eth0 up; udhcpc -i eth0 -n -q -s /tmp/dhcp 2>&1", 120)[0], 0,
                "the status of udhcpc")
    check("10.0.2.15" in guest.run("ip addr show dev eth0")[1], "DHCP gave no address 10.0.2.15")
    where = guest.run("readlink -f /sys/class/net/eth0/device")[1]
    check(driver in where, "eth0 is at %r" % where.strip())


def traffic(device, driver, smp, megabytes=MEGABYTES, machine=()):
    port = free_port()
    with scratch() as folder, Server(folder) as server:
        path = os.path.join(folder, "file")
        with open(path, "wb") as f:
            f.write(os.urandom(megabytes << 20))
        value = hash_of(path)
        network = ["-netdev", "user,id=n0,hostfwd=tcp:127.0.0.1:%d-:80" % port, "-device", device + ",netdev=n0"]
        with boot(linux(*machine, *network, smp=smp)) as guest:
            guest.prompt(300)
            bring_up(guest, driver)
            status, text = guest.run("mkdir /tmp/www; wget -q -O /tmp/www/file http://10.0.2.2:%d/file" % server.port, 300)
            check_equal(status, 0, "the status of wget (%s)" % text.strip())
            check_equal(guest.run("sha256sum < /tmp/www/file", 300)[1].split()[0], value, "the hash of the file fetched")
            guest.run("httpd -p 80 -h /tmp/www")
            back = os.path.join(folder, "back")
            with urllib.request.urlopen("http://127.0.0.1:%d/file" % port, timeout=300) as reply, open(back, "wb") as f:
                shutil.copyfileobj(reply, f, 1 << 20)
            check_equal(hash_of(back), value, "the hash of the file served")
            # Small packets, too.
            check("5 packets received" in guest.run("ping -c 5 -i 0.2 10.0.2.2", 60)[1], "pings were lost")
            no_kernel_complaints(guest)
            finish(guest)


@boot_test()
def virtio_mmio():
    traffic("virtio-net-device", "virtio_mmio", 1)


@boot_test()
def virtio_mmio_smp4():
    traffic("virtio-net-device", "virtio_mmio", 4, 20)


@boot_test()
def virtio_pci():
    traffic("virtio-net-pci", "pci0000:00", 1)


@boot_test()
def virtio_pci_smp4():
    traffic("virtio-net-pci,addr=7", "0000:00:07.0", 4, 20)


@boot_test()
def counted():
    # Frames enter through the machine's input and leave from the vcpu's thread.
    traffic("virtio-net-device", "virtio_mmio", 1, 4, ["-icount", "2,sleep=on"])
