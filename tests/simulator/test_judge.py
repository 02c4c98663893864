"""The judge: it must see every way in which an archive can differ from what was sent."""

from __future__ import annotations

import contextlib
import io
import json
import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatlog.naming import FileName
from chatlog.record import rfc3339
from chatlog.simulator.judge import main
from tests.simulator.damaged_archive import MS, Case, line, record


class JudgeTests(SynchronousTestCase):
    def case(self, *rooms: str) -> Case:
        return Case(self.mktemp(), rooms or ("alpha", "beta"))

    def judge(self, arguments: list[str], *more: str) -> tuple[int, dict[str, Any]]:
        """(exit status, judgement)."""
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            status = main([*arguments, *more, "--json"])
        return status, json.loads(output.getvalue())

    def faults(self, found: dict[str, Any]) -> dict[str, int]:
        """What is wrong, without what is zero."""
        names = "lost excused undelivered hidden pending doubled altered out_of_order invalid unknown"
        return {name: found[name] for name in names.split() if found[name]}

    def test_faultless(self) -> None:
        """An archive that has everything once, in any packing, is good."""
        for suffix in ("", ".gz", ".zst"):
            status, found = self.judge(self.case().write(suffix))
            self.assertEqual((status, self.faults(found)), (0, {}))
            self.assertEqual((found["sent"], found["recorded"], found["files"]), (42, 42, 2))

    def test_lost(self) -> None:
        """Missing records are counted, with room and time from the first to the last."""
        case = self.case()
        del case.records["beta"][5:8]
        status, found = self.judge(case.write())
        self.assertEqual((status, self.faults(found)), (1, {"lost": 3, "hidden": 3}))
        (missing,) = found["missing"]
        self.assertEqual((missing["channel"], missing["count"], missing["why"]), ("beta", 3, "lost"))
        self.assertEqual(missing["hidden"], 3)
        self.assertEqual((missing["start"], missing["end"]), (MS + 1200, MS + 1600))

    def test_lost_without_id(self) -> None:
        """Of two events that look the same one can be missing too."""
        case = self.case()
        case.records["alpha"].pop()
        status, found = self.judge(case.write())
        self.assertEqual((status, found["lost"]), (1, 1))

    def test_lost_long_before_its_like(self) -> None:
        """Of two events that look the same, it is the earlier one that is missing if the only record was
        made when the later one was sent."""
        case = self.case("alpha")
        for n in range(20, 60):
            case.send("alpha", f"text {n}", id=f"alpha-{n}")
        case.send("alpha", "", type="room", details={"slow": "5"})
        del case.records["alpha"][20:50]
        _, found = self.judge(case.write())
        (missing,) = found["missing"]
        self.assertEqual((missing["count"], found["lost"], found["out_of_order"]), (30, 30, 0))
        self.assertEqual(missing["start"], MS + 2100)

    def test_recorder_that_is_behind(self) -> None:
        """Of two events that look the same, a recorder that is behind has recorded the earlier one first,
        though the later one was sent at about the time of that record."""
        case = self.case("alpha")
        for n in range(20, 40):
            case.send("alpha", f"text {n}", id=f"alpha-{n}")
        case.send("alpha", "", type="room", details={"slow": "5"})
        for n, entry in enumerate(case.records["alpha"], 1):
            entry["received"] = rfc3339(MS + n * 100 + 1800)
        status, found = self.judge(case.write())
        self.assertEqual((status, self.faults(found)), (0, {}))

    def test_late_copy(self) -> None:
        """A copy of an event without an id is never taken for an event that looks the same and is sent later;
        and it is said how late the copy is. A clock that is behind makes no copies."""
        case = self.case("alpha")
        for n in range(20, 320):
            case.send("alpha", f"text {n}", id=f"alpha-{n}")
        case.send("alpha", "", type="room", details={"slow": "5"})
        copy = case.records["alpha"][21] | {"received": rfc3339(MS + 2200 + 25_000)}
        case.records["alpha"].insert(280, copy)
        _, found = self.judge(case.write())
        self.assertEqual((self.faults(found), found["doubled_after"]), ({"doubled": 1}, [25_000]))
        behind = self.case("alpha")
        for n, entry in enumerate(behind.records["alpha"], 1):
            entry["received"] = rfc3339(MS + n * 100 - 3_600_000)
        self.assertEqual(self.faults(self.judge(behind.write())[1]), {})

    def test_halves_of_pairs(self) -> None:
        """A record of an earlier version, which kept half of a surrogate pair, is as it was sent; a record
        with another text is not."""
        for text, faults in (("cut \ud83d", {}), ("cut \ufffd", {}), ("cut ?", {"altered": 1})):
            case = self.case("alpha")
            case.send("alpha", "cut \ud83d", id="cut")
            case.records["alpha"][-1]["message"] = "cut HERE"
            arguments = case.write()
            [path] = [each.path for each in os.scandir(os.path.join(case.directory, "archive"))]
            with open(path, encoding="utf-8") as file:
                lines = file.read()
            with open(path, "w", encoding="utf-8") as file:
                file.write(lines.replace('"cut HERE"', json.dumps(text)))
            self.assertEqual(self.faults(self.judge(arguments)[1]), faults, repr(text))

    def test_backfilled(self) -> None:
        """What was recorded later than it was said, and says so, is not out of order, and is counted."""
        case = self.case()
        late = case.records["beta"].pop(5)
        case.records["beta"].insert(9, late)
        late["details"]["backfilled"] = True
        status, found = self.judge(case.write())
        self.assertEqual((status, self.faults(found), found["backfilled"]), (0, {}, 1))

    def test_whole_room_lost(self) -> None:
        """A room without any file is missing as a whole."""
        case = self.case()
        del case.records["beta"]
        status, found = self.judge(case.write())
        self.assertEqual((status, found["lost"]), (1, 20))

    def test_doubled(self) -> None:
        """A record that is there twice is found, with an id or without."""
        for index in (3, -1):
            case = self.case()
            case.records["alpha"].append(case.records["alpha"][index])
            status, found = self.judge(case.write())
            self.assertEqual((status, self.faults(found)), (1, {"doubled": 1}))

    def test_copies(self) -> None:
        """Of several recorders each is compared by itself: an event is lost that nobody has, what two have is
        counted, and what one has twice is doubled."""
        case = self.case("alpha")
        records = case.records.pop("alpha")
        arguments = case.write()
        parts = {"one": records[:12], "two": [*records[8:10], *records[9:16]], "three": records[17:]}
        for instance, part in parts.items():
            name = FileName("twitch", "alpha", "20251009_0853", instance=instance)
            case.put(str(name), b"".join(map(line, part)))
        _, found = self.judge(arguments, "--copies")
        self.assertEqual(self.faults(found), {"lost": 1, "hidden": 1, "doubled": 1})
        self.assertEqual((found["copies"], found["recorded"]), (4, 21))
        _, found = self.judge(arguments)
        self.assertEqual((found["copies"], found["doubled"]), (0, 5))
        # Of a room that was left already.
        name = FileName("twitch", "_server", "20251009_0853", instance="one")
        strays = [{**records[0], "channel": "_server"}, {**records[0], "channel": "_server", "id": "other"}]
        case.put(str(name), b"".join(map(line, strays)))
        _, found = self.judge(arguments, "--copies")
        self.assertEqual((found["copies"], found["unknown"]), (5, 1))

    def test_altered(self) -> None:
        """A record that says something else than was sent is found: text, type or time."""
        for key, value in (("message", "text 3 "), ("type", "action"), ("timestamp", rfc3339(MS))):
            case = self.case()
            case.records["alpha"][3][key] = value
            status, found = self.judge(case.write())
            self.assertEqual((status, self.faults(found)), (1, {"altered": 1}), key)
            self.assertIn(f"altered {key}", found["examples"][0])

    def test_altered_room(self) -> None:
        """A record in another room than its own is one lost here and one never sent there."""
        case = self.case()
        moved = case.records["alpha"].pop(3) | {"channel": "beta"}
        case.records["beta"].insert(3, moved)
        status, found = self.judge(case.write())
        self.assertEqual((status, found["lost"], found["unknown"]), (1, 1, 1))

    def test_out_of_order(self) -> None:
        """Two records that changed places are found; asked not to mind, the judge does not."""
        case = self.case()
        records = case.records["alpha"]
        records[3], records[4] = records[4], records[3]
        arguments = case.write()
        status, found = self.judge(arguments)
        self.assertEqual((status, self.faults(found)), (1, {"out_of_order": 1}))
        self.assertEqual(self.judge(arguments, "--any-order")[0], 0)

    def test_order_over_files(self) -> None:
        """The order of a room's files is that of their minutes and numbers, not of the alphabet."""
        case = self.case("alpha")
        records = case.records.pop("alpha")
        arguments = case.write()
        cuts = (("0853", 0, 4), ("0853-2", 4, 8), ("0853-10", 8, 12), ("0854", 12, 22))
        for name, start, end in cuts:
            data = b"".join(line(entry) for entry in records[start:end])
            case.put(f"twitch_alpha_20251009_{name}.jsonl.gz", data)
        status, found = self.judge(arguments)
        self.assertEqual((status, self.faults(found)), (0, {}))

    def test_invalid_lines(self) -> None:
        """Lines that are no record, and files that cannot be unpacked, are found and do not stop it."""
        for data, count in (
            (b"half a li", 1),
            (b"\n", 1),
            (b'{"timestamp": 1}\n[]\n', 2),
            (b'\xff\xfe{"not": "utf-8"}\n', 1),
        ):
            case = self.case()
            arguments = case.write()
            case.put("twitch_gamma_20251009_0853.jsonl", data)
            status, found = self.judge(arguments)
            self.assertEqual((status, self.faults(found)), (1, {"invalid": count}), data)
        case = self.case()
        arguments = case.write()
        for suffix in ("gz", "zst"):
            with open(
                os.path.join(case.directory, f"twitch_gamma_20251009_0853.jsonl.{suffix}"), "wb"
            ) as file:
                file.write(b"not packed")
        status, found = self.judge(arguments)
        self.assertEqual((status, self.faults(found)), (1, {"invalid": 2}))

    def test_never_sent(self) -> None:
        """A record of something that was never sent is found."""
        case = self.case()
        case.records["alpha"].append(record("alpha", "hm", "message", "other-id", MS, {}))
        status, found = self.judge(case.write())
        self.assertEqual((status, self.faults(found)), (1, {"unknown": 1}))

    def test_two_files_of_one_name(self) -> None:
        """Two objects of one name are a fault, also in different packings."""
        case = self.case()
        arguments = case.write(".gz")
        case.put("twitch_alpha_20251009_0853.jsonl.zst", b"")
        status, found = self.judge(arguments)
        self.assertEqual((status, found["duplicate_names"]), (1, ["twitch_alpha_20251009_0853.jsonl"]))

    def test_undelivered(self) -> None:
        """What the server could not deliver is not lost; that no gap record stands for it is told, and is
        a fault where gaps are asked for."""
        case = self.case()
        for n in range(3):
            case.send("alpha", "unheard", id=f"dead-{n}", dead=True)
            case.records["alpha"].pop()
        numbers = (case.oracle[-3]["n"], case.oracle[-1]["n"])
        arguments = case.write()
        status, found = self.judge(arguments)
        self.assertEqual((status, self.faults(found)), (0, {"undelivered": 3, "hidden": 3}))
        self.assertEqual(self.judge(arguments, "--gaps")[0], 1)
        case.directory = self.mktemp()
        case.gap("alpha", *numbers)
        status, found = self.judge(case.write(), "--gaps")
        self.assertEqual((status, self.faults(found)), (0, {"undelivered": 3}))
        self.assertEqual(found["gaps"], {"connection lost": 1})

    def test_gap_of_another_room(self) -> None:
        """A gap record stands for its own room and time only."""
        case = self.case()
        del case.records["beta"][-1]
        case.gap("alpha", 0, 50)
        case.gap("beta", 0, 10)
        _, found = self.judge(case.write())
        self.assertEqual((found["lost"], found["hidden"]), (1, 1))

    def test_cut_connection(self) -> None:
        """What was under way when its connection was cut may be missing; what was sent before may not."""
        case = self.case()
        del case.records["alpha"][15:20]
        case.oracle.append({"note": "cut", "connection": 1, "at": MS + 5000, "since": MS + 3300})
        _, found = self.judge(case.write())
        self.assertEqual((found["lost"], found["undelivered"]), (1, 4))

    def test_cut_with_another_connection(self) -> None:
        """What went to a second connection too must be there."""
        case = self.case()
        case.send("alpha", "both", id="both", also=[2])
        case.records["alpha"].pop()
        case.oracle.append({"note": "cut", "connection": 1, "at": MS + 9000, "since": MS})
        _, found = self.judge(case.write())
        self.assertEqual((found["lost"], found["undelivered"]), (1, 0))

    def test_excuses(self) -> None:
        """Losses in a window that was given, or shortly before a close, are excused; others are not."""
        case = self.case()
        del case.records["beta"][5:8]
        case.oracle.append({"note": "closed", "connection": 1, "at": MS + 1800})
        arguments = case.write()
        window = ("--lost-after", rfc3339(MS + 1200), "--lost-before", str(MS / 1000 + 1.4))
        _, found = self.judge(arguments, *window)
        self.assertEqual((found["lost"], found["excused"]), (1, 2))
        _, found = self.judge(arguments, "--excuse-closes", "0.5")
        self.assertEqual((found["lost"], found["excused"]), (1, 2))
        self.assertEqual(self.judge(arguments, "--excuse-closes", "1")[0], 0)

    def test_settle(self) -> None:
        """While a recorder still runs, the last seconds may be on their way."""
        case = self.case("alpha")
        del case.records["alpha"][-3:]
        status, found = self.judge(case.write(), "--settle", "1")
        self.assertEqual((status, self.faults(found)), (0, {"pending": 3}))

    def test_until(self) -> None:
        """Files that were taken at some time are judged by what was sent until then, however long the rest of
        the looking took; what is missing of that is lost all the same."""
        case = self.case("alpha")
        del case.records["alpha"][-3:]
        arguments = case.write()
        sent = [entry["at"] for entry in case.oracle if entry.get("channel") == "alpha"]
        for until, faults in (
            (sent[-4], {"pending": 3}),
            (sent[-3], {"lost": 1, "hidden": 1, "pending": 2}),
            (sent[-1], {"lost": 3, "hidden": 3}),
            (sent[-1] + 60_000, {"lost": 3, "hidden": 3}),
        ):
            _, found = self.judge(arguments, "--until", f"{until / 1000:.3f}")
            self.assertEqual(self.faults(found), faults, until)
        settled = (arguments, "--until", f"{sent[-1] / 1000:.3f}", "--settle", "1")
        self.assertEqual(self.faults(self.judge(*settled)[1]), {"pending": 3})

    def test_greeting_of_another_connection(self) -> None:
        """The settings that follow a JOIN may stand before what another connection brought a moment
        later; two messages may not change places there either."""
        case = self.case("alpha")
        case.send("alpha", "before", id="before")
        case.send("alpha", "", type="room", details={"slow": "9"}, greeting=True, connection=2)
        case.send("alpha", "after", id="after")
        records = case.records["alpha"]
        records[-3], records[-2] = records[-2], records[-3]
        status, found = self.judge(case.write())
        self.assertEqual((status, self.faults(found)), (0, {}))
        case = self.case("alpha")
        case.send("alpha", "before", id="before")
        case.send("alpha", "", type="room", details={"slow": "9"}, greeting=True, connection=2)
        case.send("alpha", "after", id="after")
        records = case.records["alpha"]
        records[-3], records[-1] = records[-1], records[-3]
        status, found = self.judge(case.write())
        self.assertEqual((status, self.faults(found)), (1, {"out_of_order": 1}))

    def test_greetings(self) -> None:
        """The settings that come with every JOIN may be recorded once or each time, never more often."""
        for times, faults in ((0, {}), (1, {}), (2, {}), (3, {"doubled": 1})):
            case = self.case()
            greetings = []
            for _ in range(2):
                case.send("alpha", "", type="room", details={"r9k": "0"}, greeting=True)
                greetings.append(case.records["alpha"].pop())
            case.records["alpha"] += [greetings[0]] * times
            _, found = self.judge(case.write())
            self.assertEqual(self.faults(found), faults)

    def test_spool(self) -> None:
        """What is still in the spool counts; a half line at the end of an open file does not."""
        case = self.case()
        arguments = case.write(spool=True)
        with open(os.path.join(case.directory, "open", "twitch_alpha_20251009_0853.jsonl"), "ab") as file:
            file.write(b'{"timestamp"')
        status, found = self.judge(arguments)
        self.assertEqual((status, self.faults(found)), (0, {}))

    def test_spool_and_archive(self) -> None:
        """A file that is uploaded and not yet removed is one file, not two."""
        case = self.case()
        arguments = case.write(".zst")
        os.rename(os.path.join(case.directory, "archive"), os.path.join(case.directory, "objects"))
        spool = os.path.join(case.directory, "spool")
        os.makedirs(os.path.join(spool, "sealed"))
        data = b"".join(line(entry) for entry in case.records["alpha"])
        case.put("twitch_alpha_20251009_0853.jsonl", data, os.path.join(spool, "sealed"))
        arguments[-1] = os.path.join(case.directory, "objects")
        status, found = self.judge(arguments, "--spool", spool)
        self.assertEqual((status, found["files"], self.faults(found)), (0, 2, {}))

    def test_instance(self) -> None:
        """Asked for one recorder, the files of others do not count."""
        case = self.case("alpha")
        records = case.records.pop("alpha")
        arguments = case.write()
        data = b"".join(line(entry) for entry in records)
        for instance in ("one", "two"):
            case.put(f"twitch_alpha_20251009_0853_{instance}.jsonl", data)
        self.assertEqual(self.judge(arguments)[1]["doubled"], 22)
        self.assertEqual(self.judge(arguments, "--instance", "two")[0], 0)

    def test_several_spools(self) -> None:
        """The spools of several recorders count together; one that is given twice counts once."""
        case = self.case("alpha", "beta")
        arguments = case.write()
        files = {}
        for room in ("alpha", "beta"):
            spool = self.mktemp()
            os.makedirs(os.path.join(spool, "sealed"))
            name = f"twitch_{room}_20251009_0853.jsonl"
            os.rename(os.path.join(case.directory, "archive", name), os.path.join(spool, "sealed", name))
            files[room] = spool
        alpha, beta = (("--spool", files[room]) for room in ("alpha", "beta"))
        self.assertEqual(self.judge(arguments, *alpha, *beta, *alpha)[1]["files"], 2)
        self.assertEqual(self.judge(arguments, *alpha, *beta)[0], 0)
        self.assertEqual(self.judge(arguments, *beta)[1]["lost"], 22)

    def test_lone_surrogates(self) -> None:
        """Half of a surrogate pair that was sent is recorded as U+FFFD, which is right."""
        case = self.case()
        case.send("alpha", "\ud83d", id="half")
        status, found = self.judge(case.write())
        self.assertEqual((status, self.faults(found)), (0, {}))

    def test_several_oracles(self) -> None:
        """The oracles of several runs of the simulator count together."""
        case = self.case("alpha")
        arguments = case.write()
        more = os.path.join(case.directory, "second.jsonl")
        os.rename(arguments[1], more)
        with open(more) as file:
            lines = file.readlines()
        with open(arguments[1], "w") as file:
            file.writelines(lines[:10])
        with open(more, "w") as file:
            file.writelines(lines[10:])
        status, found = self.judge(arguments, "--oracle", more)
        self.assertEqual((status, found["sent"]), (0, 22))

    def test_report(self) -> None:
        """The text report says the same in lines, with the times of the missing events."""
        case = self.case()
        del case.records["beta"][5:8]
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            self.assertEqual(main(case.write()), 1)
        self.assertIn("lost 3,", output.getvalue())
        self.assertIn(
            "lost: 3 in twitch beta, 2025-10-09T08:53:21.200Z to 2025-10-09T08:53:21.600Z", output.getvalue()
        )

    def test_cannot_judge(self) -> None:
        """Without an oracle, or with half a window, it says so and exits with 2."""
        errors = io.StringIO()
        arguments = self.case().write()
        with contextlib.redirect_stderr(errors):
            self.assertEqual(main(["--oracle", "/nonexistent", "--archive", "."]), 2)
            self.assertEqual(main([*arguments, "--lost-after", "1"]), 2)
            for option in ("--spool", "--archive"):
                self.assertEqual(main([*arguments[:2], option, "/nonexistent"]), 2)
            os.makedirs(empty := self.mktemp())
            self.assertEqual(main([*arguments, "--spool", empty]), 2)
        self.assertEqual(errors.getvalue().count("cannot judge: "), 5)
        self.assertIn("is no spool: none of sealed, open, packed is in it", errors.getvalue())

    def test_twice(self) -> None:
        """A second value of an option that takes one is refused: the first is not dropped silently."""
        for option in ("--archive", "--until", "--instance", "--settle", "--endpoint", "--region"):
            errors = io.StringIO()
            with contextlib.redirect_stderr(errors), self.assertRaises(SystemExit) as raised:
                main(["--oracle", "x", option, "1", option, "2"])
            self.assertEqual(raised.exception.code, 2)
            self.assertIn(f"{option} is given twice", errors.getvalue())
