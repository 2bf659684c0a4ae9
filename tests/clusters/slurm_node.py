"""A SLURM cluster of one node, this machine, for as long as a test needs it.

Debian's packages `slurm-wlm` and `munge`; the daemons are children of the test, run from a folder
of their own, and are stopped by their own process ids.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONFIGURATION = """\
ClusterName=trpo
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
JobRequeue=1
KillWait=20
MinJobAge=600
SchedulerParameters=batch_sched_delay=0,sched_interval=2,requeue_delay=1
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} State=UNKNOWN
PartitionName=short Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
"""


def missing() -> str:
    """Return why no node can be started here, or nothing."""
    if os.geteuid() != 0:
        return "only root may start SLURM's daemons"
    absent = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if not which(name)]
    return f"no {', '.join(absent)}: apt-get install slurm-wlm munge" if absent else ""


def which(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def slurm_node(folder: Path) -> Iterator[dict[str, str]]:
    """Start the daemons with all their files in `folder`; give the variables that find them."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    configuration = folder / "slurm.conf"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    configuration.write_text(
        CONFIGURATION.format(
            folder=folder,
            host=socket.gethostname().split(".")[0],
            port=free_port(),
            node_port=free_port(),
            cpus=os.cpu_count(),
            memory=memory * 9 // 10,
        )
    )
    variables = {**os.environ, "SLURM_CONF": str(configuration)}
    daemons: list[subprocess.Popen[bytes]] = []
    try:
        for command in _commands(folder):
            with open(folder / f"{Path(command[0]).name}.out", "wb") as log:
                daemons.append(subprocess.Popen(command, env=variables, stdout=log, stderr=log))
            time.sleep(1.0)
        _wait_until_idle(variables, folder)
        yield variables
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _commands(folder: Path) -> list[list[str]]:
    """Return the daemons' command lines, all in the foreground."""
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    folder.chmod(0o755)  # the socket is for every user
    munge = {"socket": "munge.socket", "key-file": "munge.key", "pid-file": "munge.pid"}
    munge |= {"log-file": "munge.log", "seed-file": "munge.seed"}
    options = [f"--{name}={folder}/{file}" for name, file in munge.items()]
    return [
        [str(which("munged")), "--foreground", "--force", *options],
        [str(which("slurmctld")), "-D"],
        [str(which("slurmd")), "-D"],
    ]


def _wait_until_idle(variables: dict[str, str], folder: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = subprocess.run(
            ["sinfo", "-h", "-o", "%t"], env=variables, capture_output=True, text=True, check=False
        )
        if found.stdout.strip() in ("idle", "mix"):
            return
        time.sleep(0.5)
    logs = "\n".join(f"{p.name}: {p.read_text()[-1500:]}" for p in folder.glob("*.log"))
    raise AssertionError(f"the node did not come up: {found.stdout} {found.stderr}\n{logs}")
