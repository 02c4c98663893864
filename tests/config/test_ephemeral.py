"""Tests of the warnings about directories that do not last."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatlog.config.ephemeral import unsuited, warning, warnings
from chatlog.config.settings import ArchiveSettings, RecorderSettings, S3Settings, Settings
from chatlog.mounts import read_mounts

#: A machine of fly.io without and with a volume: the root is a disk of its own that is made anew.
FLY_ROOT = """\
/dev/vdb / ext4 rw,relatime 0 0
devtmpfs /dev devtmpfs rw,nosuid,relatime,size=104752k,mode=755 0 0
proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
tmpfs /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime 0 0
"""
FLY_VOLUME = FLY_ROOT + "/dev/vdc /data ext4 rw,relatime 0 0\n"
FLY = {"FLY_APP_NAME": "my-chatlog", "FLY_MACHINE_ID": "148ed127b5e089"}

DOCKER = """\
overlay / overlay rw,relatime,lowerdir=/var/lib/docker/overlay2/l/A:/var/lib/docker/overlay2/l/B 0 0
proc /proc proc rw,nosuid,nodev,noexec,relatime 0 0
tmpfs /dev tmpfs rw,nosuid,size=65536k,mode=755 0 0
/dev/sda1 /etc/hosts ext4 rw,relatime 0 0
"""
DOCKER_VOLUME = DOCKER + "/dev/sda1 /data ext4 rw,relatime 0 0\n"

SERVER = """\
sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0
/dev/nvme0n1p2 / ext4 rw,relatime 0 0
tmpfs /run tmpfs rw,nosuid,nodev,size=1633720k,mode=755 0 0
tmpfs /tmp tmpfs rw,nosuid,nodev 0 0
/dev/mapper/home /home xfs rw,relatime 0 0
"""


class WarningTests(SynchronousTestCase):
    """Which directories are warned about."""

    def test_fly(self) -> None:
        """On fly.io everything that is not on a volume is gone after a deploy, and it says how to help."""
        found = warning("/workspace/data", FLY, FLY_ROOT)
        self.assertEqual(
            found,
            "recorder.directory: /workspace/data is on the root file system of a fly.io machine, which is "
            "thrown away with it: a deploy or a restart loses what was not uploaded; mount a volume "
            "([mounts] in fly.toml) and put the directory on it",
        )
        for directory in ("/data", "/data/", "//data", "/data/spool", "/data/spool/not/there/yet"):
            self.assertEqual(warning(directory, FLY, FLY_VOLUME), "", directory)

    def test_beside_the_volume(self) -> None:
        """A directory whose name only begins like the volume's is not on it, nor is one that leads out."""
        for directory in ("/database", "/data2/spool", "/data/../spool", "/", "/home/data/spool"):
            self.assertIn("fly.io", warning(directory, FLY, FLY_VOLUME), directory)

    def test_docker(self) -> None:
        """In a container too: its root is an overlay. A volume or a directory of the host lasts."""
        self.assertIn("of a container", warning("/app/data", {}, DOCKER))
        self.assertIn("of a container", warning("/data/spool", {}, DOCKER))
        self.assertEqual(warning("/data/spool", {}, DOCKER_VOLUME), "")

    def test_heroku(self) -> None:
        """On Heroku there is no volume, and the remedy is another one."""
        found = warning("/app/data", {"DYNO": "worker.1"}, "/dev/vda / ext4 rw 0 0\n")
        self.assertIn("of a Heroku dyno", found)
        self.assertIn("rotate_interval", found)

    def test_a_server(self) -> None:
        """There is no warning for a real disk, whatever its mounts are."""
        for directory in ("/var/lib/chatlog", "/home/me/chatlog", "/srv/runs"):
            self.assertEqual(warning(directory, {}, SERVER), "", directory)

    def test_in_memory(self) -> None:
        """A file system in memory does not last anywhere."""
        for environ in ({}, FLY):
            for directory in ("/run/chatlog", "/tmp/chatlog"):
                found = warning(directory, environ, SERVER)
                self.assertIn("is in memory (tmpfs at /", found)
        self.assertIn("ramfs", warning("/spool", {}, SERVER + "none /spool ramfs rw 0 0\n"))

    def test_the_innermost_counts(self) -> None:
        """The mount that is nearest to the directory decides, in whatever order they are listed; of two
        in the same place the later one."""
        nested = "tmpfs /data/cache tmpfs rw 0 0\n" + FLY_VOLUME
        self.assertIn("tmpfs", warning("/data/cache/spool", FLY, nested))
        self.assertEqual(warning("/data/spool", FLY, nested), "")
        covered = FLY_VOLUME + "tmpfs /data tmpfs rw 0 0\n"
        self.assertIn("tmpfs", warning("/data/spool", FLY, covered))
        self.assertEqual(warning("/srv/spool", {}, "rootfs / overlay rw 0 0\n/dev/sda1 / ext4 rw 0 0\n"), "")

    def test_odd_names(self) -> None:
        """Names with spaces and backslashes are escaped in the table, and a line break never reaches a
        log."""
        mounts = FLY_ROOT + "/dev/vdc /my\\040data\\134x ext4 rw 0 0\n"
        self.assertEqual(warning("/my data\\x/spool", FLY, mounts), "")
        self.assertNotIn("\n", warning("/app/da\nta", FLY, FLY_ROOT))

    def test_nothing_known(self) -> None:
        """Without a table, or with one of another form, nothing is claimed."""
        for mounts in ("", "\n\n", "a b\n", "disk on / type overlay\n"):
            self.assertEqual(warning("/app/data", FLY, mounts), "", mounts)

    def test_other_directories(self) -> None:
        """It can be asked of the archive as well."""
        self.assertTrue(warning("/app/archive", {}, DOCKER, "archive.directory").startswith("archive.dir"))

    def test_all_directories(self) -> None:
        """The archive counts where it is a directory, not where a store has it. A directory is looked up
        where its links lead, and from the working directory."""
        root = "/dev/vdb / ext4 rw 0 0\n"
        plain = Settings(recorder=RecorderSettings("spool"), archive=ArchiveSettings(None, "archive"))
        found = warnings(plain, FLY, root)
        self.assertEqual(
            [text.partition(":")[0] for text in found], ["recorder.directory", "archive.directory"]
        )
        self.assertIn(f": {os.path.realpath('spool')} is", found[0])
        stored = Settings(recorder=RecorderSettings("spool"), s3=S3Settings("bucket"))
        self.assertEqual(len(warnings(stored, FLY, root)), 1)
        elsewhere = Settings(recorder=RecorderSettings("spool"), archive=ArchiveSettings("gs://bucket"))
        self.assertEqual(len(warnings(elsewhere, FLY, root)), 1)
        volume = os.path.realpath(self.mktemp())
        os.symlink(volume, "linked")
        self.addCleanup(os.unlink, "linked")
        linked = Settings(recorder=RecorderSettings("linked/spool"), s3=S3Settings("bucket"))
        self.assertEqual(warnings(linked, FLY, f"{root}/dev/vdc {volume} ext4 rw 0 0\n"), [])

    def test_file_systems_that_give_trouble(self) -> None:
        """A bucket that looks like a directory, or a directory of another machine, is told of with what to do
        about it before anything is written; an archive may be on another machine."""
        kinds = {
            "fuse.s3fs": "bucket",
            "fuse.gcsfuse": "bucket",
            "fuse.mountpoint-s3": "bucket",
            "fuse.rclone": "bucket",
            "nfs4": "local disk",
            "cifs": "local disk",
            "9p": "local disk",
            "vboxsf": "local disk",
            "fuse.sshfs": "local disk",
            "fuse.vmhgfs-fuse": "local disk",
            "ext4": "",
            "fuseblk": "",
            "fuse.glusterfs": "",
            "virtiofs": "",
        }
        for kind, text in kinds.items():
            place = self.mktemp()
            mounts = f"/dev/vdb / ext4 rw 0 0\nx {os.path.realpath(place)} {kind} rw 0 0\n"
            both = Settings(
                recorder=RecorderSettings(f"{place}/a"), archive=ArchiveSettings(directory=f"{place}/b")
            )
            found = warnings(both, {}, mounts)
            if not text:
                self.assertEqual(found, [], kind)
                continue
            self.assertEqual(len(found), 2 if text == "bucket" else 1, kind)
            for said in found:
                self.assertIn(kind, said)
                self.assertIn(text, said)
                self.assertIn(os.path.realpath(place), said)

    def test_not_mounted(self) -> None:
        """A file system that the system should have mounted and has not is told of, with what happens
        meanwhile."""
        fstab = "UUID=1 / ext4 defaults 0 1\nUUID=2 /mnt/a ext4 nofail 0 2\nUUID=3 /mnt/b ext4 nofail 0 2\n"
        settings = Settings(
            recorder=RecorderSettings("/mnt/a/spool"), archive=ArchiveSettings(directory="/mnt/b")
        )
        spool, archive = warnings(settings, {}, SERVER, fstab)
        self.assertIn("recorder.directory: /mnt/a/spool belongs to /mnt/a, which is in /etc/fstab", spool)
        self.assertIn("mount it, and start chatlog again", spool)
        self.assertIn("archive.directory: /mnt/b belongs to /mnt/b", archive)
        self.assertIn("nothing is stored until it is mounted", archive)
        mounted = SERVER + "/dev/sdb /mnt/a ext4 rw 0 0\n/dev/sdc /mnt/b ext4 rw 0 0\n"
        self.assertEqual(warnings(settings, {}, mounted, fstab), [])

    def test_archive_of_a_file_url(self) -> None:
        """An archive that is named by the address of a directory is checked too."""
        settings = Settings(
            recorder=RecorderSettings("/data/spool"), archive=ArchiveSettings("file:///arch%69ve")
        )
        [said] = warnings(settings, FLY, FLY_VOLUME)
        self.assertTrue(said.startswith("archive.url: /archive is on the root file system"), said)

    @given(st.text(), st.text(), st.sampled_from(({}, FLY)))
    def test_anything(self, directory: str, mounts: str, environ: dict[str, str]) -> None:
        """No table and no name makes it fail or say more than a line."""
        for text in (mounts, "/dev/vdb / ext4 rw 0 0\n" + mounts):
            self.assertNotIn("\n", warning("/" + directory, environ, text))
            self.assertNotIn("\n", unsuited("/" + directory, text))


class MountsTests(SynchronousTestCase):
    """Where the table comes from."""

    def test_this_system(self) -> None:
        """The table of this system has a root, and a directory of tests is looked up in it."""
        if os.path.exists("/proc/mounts"):
            self.assertIn(" / ", read_mounts())
        self.assertIsInstance(warning(os.path.realpath("."), {}, read_mounts()), str)

    def test_no_table(self) -> None:
        """Where there is no table, there is no text."""
        self.assertEqual(read_mounts(self.mktemp()), "")
