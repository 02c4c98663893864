"""Where file systems are mounted, and where they should be."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.mounts import device_of, mount_of, place_of, read_mounts, unmounted

MOUNTS = """\
/dev/vda1 / ext4 rw,relatime 0 0
/dev/vdb /mnt/archive ext4 rw,relatime 0 0
tmpfs /run tmpfs rw 0 0
"""
FSTAB = """\
# /etc/fstab: static file system information.
UUID=01 /               ext4    errors=remount-ro  0 1
UUID=02 /mnt/archive    ext4    defaults,nofail    0 2
UUID=03\t/srv/my\\040chat\txfs\tdefaults\t0 2
UUID=04 none            swap    sw                 0 0
UUID=05 /mnt/usb        vfat    noauto,user        0 0
#UUID=06 /mnt/old       ext4    defaults           0 2
nas:/x  /mnt/nas        nfs     defaults
"""


class UnmountedTests(SynchronousTestCase):
    """File systems that are due and away."""

    def test_due(self) -> None:
        """What the system mounts at its start is missing where something else, or nothing, is mounted. What
        it mounts on demand only is not, nor is what is there."""
        for directory, place in (
            ("/mnt/archive", ""),
            ("/mnt/archive/chat", ""),
            ("/srv/my chat", "/srv/my chat"),
            ("/srv/my chat/a/b", "/srv/my chat"),
            ("/mnt/nas/archive", "/mnt/nas"),
            ("/srv/my", ""),
            ("/mnt/usb/archive", ""),
            ("/mnt/old/archive", ""),
            ("/home/chat", ""),
        ):
            self.assertEqual(unmounted(directory, MOUNTS, FSTAB), place, directory)

    def test_nothing_known(self) -> None:
        """Without either table nothing is claimed."""
        for mounts, fstab in (("", FSTAB), (MOUNTS, ""), ("", "")):
            self.assertEqual(unmounted("/srv/my chat", mounts, fstab), "")

    @given(st.text(), st.text(), st.text())
    def test_anything(self, directory: str, mounts: str, fstab: str) -> None:
        """No table makes it fail."""
        unmounted("/" + directory, MOUNTS + mounts, FSTAB + fstab)


class PlaceTests(SynchronousTestCase):
    """What a file system is known by."""

    def test_not_there_yet(self) -> None:
        """A directory that is not there yet is on the file system of what is above it."""
        here = self.mktemp()
        os.makedirs(here)
        for path in (here, f"{here}/a/b/c"):
            self.assertEqual(device_of(path), os.stat(here).st_dev)
            self.assertEqual(place_of(path), place_of(here))
        self.assertEqual(device_of("/no/such/place"), os.stat("/").st_dev)

    def test_by_its_mount(self) -> None:
        """It is known by where it is mounted, which stays the same when it comes back; without a table of
        mounts by its number."""
        mounts = read_mounts()
        here = os.path.realpath(".")
        expected = mount_of(here, mounts)[0] if mounts else f"device {os.stat(here).st_dev}"
        self.assertEqual(place_of("."), expected)
