# SPDX-License-Identifier: MIT
"""virtio devices on PCI, by wires and by messages, and the advanced interrupt controllers."""
from disk import ext4_survives
from folder import MOUNT
from harness import boot, boot_test, check, check_equal, disk_file, finish, linux, no_kernel_complaints, scratch
from network import traffic

IMSIC = ["-M", "virt,aia=aplic-imsic"]
APLIC = ["-M", "virt,aia=aplic"]


def pci_disk(path):
    return ["-drive", "if=none,format=raw,file=%s,id=d0" % path, "-device", "virtio-blk-pci,drive=d0,serial=onpci,num-queues=2"]


def has_interrupts(guest, *words):
    """Each word stands in a line of /proc/interrupts with a count."""
    lines = guest.run("cat /proc/interrupts")[1].splitlines()
    for word in words:
        found = [l for l in lines if word in l and any(n.isdigit() and int(n) > 0 for n in l.split()[1:5])]
        check(found, "no interrupt of %r was counted" % word)


def all_devices(machine, smp, *interrupts):
    """Each kind of device on PCI at work; what /proc/interrupts has to count."""
    with scratch() as folder:
        path = disk_file(folder, 8)
        devices = pci_disk(path) + ["-device", "virtio-rng-pci,addr=1f", "-device", "virtio-serial-pci,addr=a",
                                    "-chardev", "file,id=c,path=%s/out" % folder,
                                    "-device", "virtserialport,chardev=c,name=org.test.0",
                                    "-fsdev", "local,id=fs0,path=%s,security_model=none" % folder,
                                    "-device", "virtio-9p-pci,fsdev=fs0,mount_tag=share"]
        with open(folder + "/note", "w") as f:
            f.write("of the host\n")
        with boot(linux(*machine, *devices, smp=smp)) as guest:
            guest.prompt(300)
            text = guest.run("cat /sys/bus/pci/devices/*/device")[1].split()
            check_equal(text, ["0x0008", "0x1042", "0x1049", "0x1043", "0x1044"], "the functions on the bus")
            check_equal(guest.run("cat /sys/block/vda/serial")[1].strip(), "onpci", "the disk's serial number")
            check_equal(guest.run("dd if=/dev/urandom of=/tmp/r bs=1M count=4 2>/dev/null; dd if=/tmp/r of=/dev/vda bs=1M conv=fsync "
                                  "2>/dev/null; dd if=/dev/vda bs=1M count=4 iflag=direct 2>/dev/null | cmp - /tmp/r", 120)[0],
                        0, "the status of comparing what was written")
            check_equal(guest.run("head -c 64 /dev/hwrng | wc -c")[1].strip(), "64", "bytes from the entropy device")
            check_equal(guest.run(MOUNT)[0], 0, "the status of mounting the folder")
            check_equal(guest.run("cat /mnt/note")[1].strip(), "of the host", "a file of the folder")
            guest.run("umount /mnt")
            check_equal(guest.run("ls /sys/block/vda/mq | wc -l")[1].strip(), str(min(smp, 2)), "the disk's queues")
            check_equal(guest.run("echo through pci > /dev/$(basename /sys/class/virtio-ports/vport*)")[0], 0, "the status of writing to the port")
            has_interrupts(guest, *interrupts)
            no_kernel_complaints(guest)
            finish(guest)
        with open(folder + "/out") as f:
            check_equal(f.read(), "through pci\n", "what the port got")


@boot_test()
def wires():
    all_devices([], 1, "virtio")


@boot_test()
def messages():
    all_devices(IMSIC, 4, "PCI-MSIX-0000:00:01.0", "ttyS0")


@boot_test()
def aplic_wires():
    all_devices(APLIC, 2, "virtio", "ttyS0")


@boot_test(images=("disk",))
def ext4_messages():
    ext4_survives(2, lambda path: IMSIC + pci_disk(path))


@boot_test()
def network_messages():
    traffic("virtio-net-pci", "pci0000:00", 2, 100, IMSIC)


@boot_test()
def network_mmio_imsic():
    traffic("virtio-net-device", "virtio_mmio", 1, 20, IMSIC)
