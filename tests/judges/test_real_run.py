"""Judges of other makers call the log whole that audit serves after kills of itself and of its witness under load."""

import asyncio
import contextlib
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.audit.settings import Settings
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.partition_reader import PartitionReader
from services.chassis.messages.record import partitions_of
from services.chassis.transparency import key_file, key_set
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.note import Note
from services.chassis.transparency.proof import Proof
from services.chassis.transparency.tree import consistency_proof, leaf_hash
from services.contracts.catalog import AUDIT_CHECKPOINTS, read_by
from services.workbench.local.broker import broker
from services.workbench.local.processes import Program
from services.workbench.local.system import KEYS, clean_environment, local_programs, service_environment
from services.workbench.local.trial import READY_S, Trial, hastened, settings_on_free_ports, trial
from services.workbench.polling import until
from services.workbench.settings import WorkbenchSettings
from tests.judges.served_log import NOT_SERVED, ServedLog
from tests.support.judge_programs import own_judge, run, sumdb
from tests.support.notification_process import SHORT_SESSIONS

pytestmark = pytest.mark.long
VICTIMS = (("audit",), ("witness",), ("audit", "witness"), ("audit",))
PAUSE_S = 0.05  # between two users
BETWEEN = 100  # entries of a published checkpoint from one kill to the next
JUDGES = ("fsckexit", "allentries", "sumdb", "verifyproof")
ORIGIN = Settings.audit_origin
PLACES = [place for topic in read_by("audit") for place in partitions_of(topic.name, topic.partitions)]


class Judged:
    """A trial whose audit and witness are killed under load, and its log as everybody reads it."""

    def __init__(self, of: Trial) -> None:
        self.trial = of
        self.keys = of.folder / KEYS
        self.log = ServedLog(of.settings.port("audit"))
        self.vkey = key_file.read(self.keys / key_set.LOG_KEY, ORIGIN).vkey

    async def play(self) -> None:
        """Kill victims while users are registered and entries added, and start them again."""
        load = asyncio.create_task(self._register())
        size = 0
        for victims in VICTIMS:
            size = await self._published(size + BETWEEN, load)
            for victim in victims:
                self.trial.system.kill(victim)
            self.trial.system.start(*victims)
            await asyncio.to_thread(self.trial.system.wait_ready, READY_S, *victims)
        load.cancel()

    async def _register(self) -> None:
        async with aiohttp.ClientSession() as session:
            for number in itertools.count():
                user = {"login": f"user{number}", "email": f"user{number}@example.org", "full_name": "Ada Lovelace"}
                async with session.post(f"{self.trial.url('user')}/users", json=user) as response:
                    assert response.status == 201, await response.text()
                await asyncio.sleep(PAUSE_S)  # the rate of the load

    async def _published(self, size: int, load: asyncio.Task[None]) -> int:
        """Wait until a checkpoint of so many entries is served, and return its size."""
        deadline, found = time.monotonic() + READY_S, 0
        while found < size:
            assert not load.done(), load
            assert time.monotonic() < deadline, f"the checkpoint has {found} entries, not {size}"
            await asyncio.sleep(0.05)
            with contextlib.suppress(*NOT_SERVED):
                found = await asyncio.to_thread(self.log.size)
        return found

    def covers_all(self) -> bool:
        """Return whether the checkpoint covers every record: none is deleted or compacted so soon."""
        return self.log.size() == sum(KafkaAdmin(self.trial.settings.client, "judges").ends(PLACES).values())

    def published(self) -> list[bytes]:
        """Return each note on the topic."""
        place = partitions_of(AUDIT_CHECKPOINTS.name, AUDIT_CHECKPOINTS.partitions)
        reader = PartitionReader(self.trial.settings.client, "judges", dict.fromkeys(place, 0))
        try:
            return [record.value or b"" for records in reader.read_to_end() for record in records]
        finally:
            reader.close()

    def command(self, *arguments: str) -> None:
        """Run a command of the audit service, which ends with 0."""
        environment = clean_environment(service_environment("audit", self.trial.settings, self.trial.folder))
        argv = (sys.executable, "-m", "services.audit", *arguments)
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def prove(self, position: int) -> tuple[bytes, Path]:
        """Let the command write the proof of an entry, and return the entry's bytes and the file."""
        file = self.trial.folder / f"{position}.tlog-proof"
        self.command("prove", str(position), "--into", str(file))
        return Proof.parse(file.read_bytes()).extra or b"", file


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    for name in JUDGES:
        own_judge(name)  # built, or skipped, before anything is started
    folder, settings = tmp_path_factory.mktemp("run"), settings_on_free_ports(0)
    with trial(
        settings, [program(one, settings, folder) for one in local_programs(settings, folder)], folder
    ) as started:
        judged = Judged(started)
        asyncio.run(judged.play())
        until("every record is covered", judged.covers_all, passing=NOT_SERVED)
        yield judged


def program(one: Program, settings: WorkbenchSettings, folder: Path) -> Program:
    """Return a part of the local system, with short leases, and a broker that soon forgets a killed consumer."""
    if one.name != "broker":
        return hastened(one)
    ports = settings.broker_port, settings.controller_port
    return broker(*ports, jars=settings.state_dir / "kafka", state=folder / "broker", more=SHORT_SESSIONS)


def test_the_log_is_whole_and_has_an_entry_for_each_record(judged: Judged) -> None:
    judged.command("verify", "--policy", str(judged.keys / key_set.POLICY))
    judged.command("complete")


def test_fsck_calls_the_served_log_whole(judged: Judged) -> None:
    done = run(own_judge("fsckexit"), judged.log.url, ORIGIN, judged.vkey)
    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stderr


def test_torchwood_reads_every_entry_under_the_policy_of_log_and_witness(judged: Judged) -> None:
    done = run(own_judge("allentries"), judged.log.url, judged.keys / key_set.POLICY)
    assert (done.returncode, done.stdout) == (0, f"{judged.log.checkpoint.size}\n"), done.stderr


def test_torchwood_verifies_the_proof_of_an_entry_and_of_no_other(judged: Judged) -> None:
    entry, proof = judged.prove(judged.log.checkpoint.size // 2)
    other, _ = judged.prove(0)
    assert verified(judged, entry, proof).returncode == 0, verified(judged, entry, proof).stderr
    assert verified(judged, other, proof).returncode == 1


def verified(judged: Judged, entry: bytes, proof: Path) -> subprocess.CompletedProcess[str]:
    file = judged.trial.folder / "entry"
    file.write_bytes(entry)
    return run(own_judge("verifyproof"), judged.keys / key_set.POLICY, file, proof)


def test_x_mod_finds_every_published_checkpoint_to_be_a_beginning_of_the_newest(judged: Judged) -> None:
    notes = judged.published()
    checkpoints = sorted({(one.size, one.root) for one in map(checkpoint_of, notes)})
    sizes = [size for size, _ in checkpoints]
    assert len(sizes) > len(VICTIMS), "the run has published too few checkpoints to compare"
    assert sizes == sorted({*sizes}), "a size was published with two roots"
    document = a_document(judged, notes, checkpoints)
    done = sumdb(document)
    assert (done.returncode, done.stdout) == (0, f"{len(notes)} 2 {len(sizes) - 1}\n"), done.stderr
    document["consistency"][1]["oldRoot"] = checkpoints[2][1]
    done = sumdb(document)
    assert (done.returncode, done.stderr.partition(":")[0]) == (1, "consistency 1")


def a_document(judged: Judged, notes: Sequence[bytes], checkpoints: Sequence[tuple[int, bytes]]) -> dict[str, Any]:
    """Return what x/mod judges: notes, proofs of entries by the command, and proofs from each size to the newest."""
    newest, root = checkpoints[-1]
    return {
        "vkey": judged.vkey,
        "notes": notes,
        "inclusion": [inclusion(judged, position) for position in (255, newest - 1)],
        "consistency": [
            {
                "old": size,
                "new": newest,
                "oldRoot": old,
                "newRoot": root,
                "proof": consistency_proof(size, newest, judged.log.read),
            }
            for size, old in checkpoints[:-1]
        ],
    }


def inclusion(judged: Judged, position: int) -> dict[str, Any]:
    entry, file = judged.prove(position)
    proof = Proof.parse(file.read_bytes())
    checkpoint = checkpoint_of(proof.checkpoint)
    return {
        "index": position,
        "size": checkpoint.size,
        "leaf": leaf_hash(entry),
        "root": checkpoint.root,
        "proof": proof.hashes,
    }


def checkpoint_of(note: bytes) -> Checkpoint:
    return Checkpoint.parse(Note.parse(note).text)
